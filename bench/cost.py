# SPDX-License-Identifier: MIT
"""CPU time and memory of a running program, as the kernel counts them."""

from __future__ import annotations

import os
from pathlib import Path

IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a host that moves is written again and again


def cpu_seconds(pid: int) -> float:
    """Time on a processor of all threads, to the nanosecond: /proc/PID/task/*/schedstat, field 1. A thread that
    ended meanwhile is missing, which the programs measured here do not do."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    return total / 1e9


def resident_mib(pid: int) -> float:
    """VmRSS."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)
