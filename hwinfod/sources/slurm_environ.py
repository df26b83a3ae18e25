# SPDX-License-Identifier: MIT
"""What Slurm wrote into the environment of a job's processes. Of an environment only these names are ever looked at.

It is the user's own memory: he may write there what he likes, so that each value is a claim. Source: srun(1) and
sbatch(1), "OUTPUT ENVIRONMENT VARIABLES"; /proc/PID/environ: Documentation/filesystems/proc.rst.
"""

from __future__ import annotations

from typing import NamedTuple

from hwinfod.sources.files import clean_text

_LONGEST = 128
_MOST_GPUS = 128
_NAMES = (
    b"SLURM_JOB_ID",
    b"SLURM_JOB_USER",
    b"SLURM_JOB_PARTITION",
    b"SLURM_JOB_ACCOUNT",
    b"SLURM_JOB_NAME",
    b"SLURM_JOB_GPUS",
    b"SLURM_STEP_GPUS",
    b"CUDA_VISIBLE_DEVICES",
)
_COMPONENT = b"SLURM_JOB_ID_HET_GROUP_"
_MOST_COMPONENTS = 128  # slurm.h MAX_HET_JOB_COMPONENTS


class JobEnvironment(NamedTuple):
    """ "" for what is not there. `job_gpus` and `step_gpus` are numbers of this node's GPUs as Slurm counts them;
    `visible_gpus` are numbers within the job, or UUIDs. `components` are the ids of a heterogeneous job's parts, of
    which `job_id` is the first one's (slurmd/slurmstepd/task.c, exec_task())."""

    job_id: str = ""
    user: str = ""
    partition: str = ""
    account: str = ""
    name: str = ""
    job_gpus: tuple[str, ...] = ()
    step_gpus: tuple[str, ...] = ()
    visible_gpus: tuple[str, ...] = ()
    components: tuple[str, ...] = ()


def parse_environ(data: bytes) -> JobEnvironment:
    """NAME=VALUE, each ended by a NUL; of a name that is there twice the first counts: getenv(3). Never raises."""
    found: dict[bytes, str] = {}
    components: dict[str, None] = {}
    for variable in data.split(b"\0"):
        if variable.startswith((b"SLURM_", b"CUDA_V")):
            name, _, value = variable.partition(b"=")
            if name in _NAMES and name not in found:
                found[name] = clean_text(value[: _LONGEST * 40])
            elif name.startswith(_COMPONENT) and len(components) < _MOST_COMPONENTS:
                components[clean_text(value[:_LONGEST])] = None
    job_id, user, partition, account, job_name = (found.get(name, "")[:_LONGEST] for name in _NAMES[:5])
    job_gpus, step_gpus, visible_gpus = (_numbers(found.get(name, "")) for name in _NAMES[5:])
    return JobEnvironment(
        job_id, user, partition, account, job_name, job_gpus, step_gpus, visible_gpus, tuple(components)
    )


def _numbers(text: str) -> tuple[str, ...]:
    """`0,1,4-7`, or words that are no numbers as they are."""
    found: list[str] = []
    for word in text.split(","):
        first, dash, last = word.strip().partition("-")
        if dash and _is_number(first) and _is_number(last):
            found += map(str, range(int(first), min(int(last), int(first) + _MOST_GPUS) + 1))
        elif word.strip():
            found.append(word.strip())
    return tuple(dict.fromkeys(found))[:_MOST_GPUS]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 5
