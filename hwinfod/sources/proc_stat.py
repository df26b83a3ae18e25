# SPDX-License-Identifier: MIT
"""/proc/stat: processor time by mode, interrupts, context switches, processes.

Source: Documentation/filesystems/proc.rst section 1.8, fs/proc/stat.c show_stat().
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from hwinfod.errors import ParseError

MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
WIDTH = len(MODES)
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Stat:
    """One reading. `ticks` is flat: `WIDTH` numbers (`MODES`) for each of `names`, in units of
    1/TICKS_PER_SECOND s. The first name is b"cpu" (the sum over all), then b"cpuN" for each processor online.

    user contains guest and nice contains guest_nice (kernel/sched/cputime.c, account_guest_time()).
    """

    names: tuple[bytes, ...]
    ticks: list[int]
    interrupts: int | None
    softirqs: int | None
    context_switches: int | None
    boot_time_seconds: int | None
    forks: int | None
    running: int | None
    blocked: int | None


def parse_stat(data: bytes) -> Stat:
    """The content of /proc/stat. Raises ParseError.

    The processors are split as one list, because 129 lines of ten numbers are read every second.
    """
    head, _, tail = data.partition(b"\nintr ")
    fields = head.split()
    names = tuple(fields[:: WIDTH + 1])
    del fields[:: WIDTH + 1]
    if len(fields) != len(names) * WIDTH or names[:1] != (b"cpu",):
        raise ParseError(f"/proc/stat: not ten modes for each processor: {data[:60]!r}")
    try:
        ticks = list(map(int, fields))
        # The line of interrupts is thousands of numbers long on a large host; only its sum is wanted.
        interrupts, _, tail = tail.partition(b"\n")
        single = _parse_singles(tail)
        return Stat(
            names=names,
            ticks=ticks,
            interrupts=int(interrupts.partition(b" ")[0]) if interrupts else None,
            softirqs=single.get(b"softirq"),
            context_switches=single.get(b"ctxt"),
            boot_time_seconds=single.get(b"btime"),
            forks=single.get(b"processes"),
            running=single.get(b"procs_running"),
            blocked=single.get(b"procs_blocked"),
        )
    except ValueError:
        raise ParseError(f"/proc/stat: not a number: {data[:60]!r}") from None


def _parse_singles(data: bytes) -> dict[bytes, int]:
    """Lines of a name and a number; what follows the number (of softirq) is left out."""
    found = {}
    for line in data.splitlines():
        words = line.split(None, 2)
        if len(words) >= 2:
            found[words[0]] = int(words[1])
    return found
