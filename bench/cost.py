# SPDX-License-Identifier: MIT
"""CPU time and memory of a running program, as the kernel counts them."""

from __future__ import annotations

import os
import time
from pathlib import Path

IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a host that moves is written again and again


def cpu_seconds(pid: int) -> float:
    """Time on a processor of all threads, of those that have ended too, to the nanosecond: the process's
    CPUCLOCK_SCHED clock as clock_getcpuclockid(3) names it, include/linux/posix-timers_types.h."""
    return time.clock_gettime((~pid << 3) | 2)


def resident_mib(pid: int) -> float:
    """VmRSS."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)
