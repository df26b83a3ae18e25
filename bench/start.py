# SPDX-License-Identifier: MIT
"""From exec to READY=1."""

from __future__ import annotations

import time
from statistics import median

from bench.cost import cpu_seconds
from bench.report import Line
from tests.support.daemon import Daemon

_STARTS = 7


def measure() -> list[Line]:
    wall, cpu = [], []
    for _ in range(_STARTS):
        begun = time.monotonic()
        with Daemon.start() as daemon:
            wall.append(time.monotonic() - begun)
            cpu.append(cpu_seconds(daemon.pid))
    spread = f"{min(wall) * 1e3:.0f}..{max(wall) * 1e3:.0f}"
    return [Line("start to READY", median(wall) * 1e3, "ms", 500, spread, f"aim 300; CPU {median(cpu) * 1e3:.0f} ms")]
