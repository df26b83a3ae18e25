# SPDX-License-Identifier: MIT
"""The clocks, in one injectable object. Samples carry CLOCK_BOOTTIME, deadlines run on CLOCK_MONOTONIC."""

from __future__ import annotations

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
    so that all nodes of a parallel job pause together. A tick nearer than a twentieth of the interval is the one
    that a timer woke up for a moment too early: the one after it is meant.
    """
    interval_ns = round(interval_seconds * 1e9)
    wait_ns = interval_ns - (wall_ns - round(phase_seconds * 1e9)) % interval_ns
    if wait_ns < interval_ns // 20:
        wait_ns += interval_ns
    return wait_ns / 1e9
