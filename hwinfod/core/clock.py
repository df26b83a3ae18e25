# SPDX-License-Identifier: MIT
"""The clocks, in one injectable object. Samples carry CLOCK_BOOTTIME, deadlines run on CLOCK_MONOTONIC."""

from __future__ import annotations

import math
import time


class Clock:
    """The machine's clocks. Tests put their own in its place."""

    def monotonic(self) -> float:
        """Seconds that never jump and stop while the machine sleeps: deadlines."""
        return time.monotonic()

    def boottime_ns(self) -> int:
        """Nanoseconds since boot, sleep included: when a sample was taken."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def wall_ns(self) -> int:
        """Nanoseconds since 1970 as the host believes: for people, and for aligning ticks."""
        return time.time_ns()

    def wall_offset_ns(self) -> int:
        """Wall clock minus boot time: what turns a sample's time into a date."""
        return self.wall_ns() - self.boottime_ns()


def seconds_to_tick(wall_ns: int, interval_seconds: float, phase_seconds: float) -> float:
    """How long until the next tick: ticks stand on multiples of the interval of the wall clock, plus the phase,
    so that all nodes of a parallel job pause together. In (0, interval_seconds]."""
    position = (wall_ns / 1e9 - phase_seconds) / interval_seconds
    wait = (math.floor(position) + 1 - position) * interval_seconds
    return min(max(wait, 0.001), interval_seconds)
