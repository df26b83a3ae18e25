# SPDX-License-Identifier: MIT
"""The title of slurmstepd, `slurmstepd: [JOB.STEP]`: the number of the job whose step it runs, by Slurm's own word.

Source: src/slurmd/slurmstepd/slurmstepd.c, _set_job_log_prefix(); docs: cgroup_v2.html.
"""

from __future__ import annotations

_BEGINNING = b"slurmstepd: ["
_MOST_DIGITS = 10  # uint32_t


def parse_step_title(data: bytes) -> str:
    """The number in a command line; "" where it is none of a step. Never raises."""
    if not data.startswith(_BEGINNING):
        return ""
    number, dot, _ = data[len(_BEGINNING) :].partition(b".")
    return number.decode() if dot and number.isdigit() and len(number) <= _MOST_DIGITS else ""
