# SPDX-License-Identifier: MIT
"""/proc/loadavg and /proc/uptime. Source: Documentation/filesystems/proc.rst, proc_loadavg(5)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwinfod.errors import ParseError


@dataclass(frozen=True, slots=True)
class LoadAverage:
    """Tasks that run or sleep uninterruptibly, averaged; `threads` is how many tasks there are in all."""

    one_minute: float
    five_minutes: float
    fifteen_minutes: float
    threads: int


def parse_loadavg(data: bytes) -> LoadAverage:
    """`0.20 0.18 0.12 1/80 11206`. Raises ParseError."""
    words = data.split()
    try:
        one, five, fifteen = (_finite(word) for word in words[:3])
        return LoadAverage(one, five, fifteen, threads=int(words[3].partition(b"/")[2]))
    except (ValueError, IndexError):
        raise ParseError(f"/proc/loadavg: {data[:60]!r}") from None


def parse_uptime(data: bytes) -> float:
    """Seconds since boot, suspended time included (the second number, idle time, is in /proc/stat too).
    Raises ParseError."""
    try:
        return _finite(data.split(None, 1)[0])
    except (ValueError, IndexError):
        raise ParseError(f"/proc/uptime: {data[:60]!r}") from None


def _finite(word: bytes) -> float:
    value = float(word)
    if not math.isfinite(value):
        raise ValueError
    return value
