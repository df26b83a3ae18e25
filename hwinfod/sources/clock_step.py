# SPDX-License-Identifier: MIT
"""Steps of the wall clock: somebody set it.

Slewing bends CLOCK_REALTIME and CLOCK_BOOTTIME alike, and a suspended host's sleep is added to both, so that
their difference changes only when the clock is set (settimeofday(2), ADJ_SETOFFSET, a leap second).
Source: kernel/time/timekeeping.c, struct timekeeper offs_real and offs_boot.
"""

from __future__ import annotations

import time

# Two clocks cannot be read at one instant. A reading within this is good enough, and is mostly 1 us.
_GOOD_BRACKET_NS = 20_000
_ATTEMPTS = 5
# chronyd and ntpd step by 100 ms and more; PTP daemons by microseconds only while they start.
LEAST_STEP_NS = 1_000_000


def read_wall_offset() -> tuple[int, int]:
    """CLOCK_REALTIME minus CLOCK_BOOTTIME in nanoseconds, and how uncertain that is: the best of a few
    readings, since we may lose the processor between the two clocks."""
    best = (0, 1 << 62)
    for _ in range(_ATTEMPTS):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        wall = time.clock_gettime_ns(time.CLOCK_REALTIME)
        after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        bracket = after - before
        if bracket < best[1]:
            best = (wall - (before + after) // 2, bracket)
        if bracket <= _GOOD_BRACKET_NS:
            break
    return best


class StepDetector:
    """Compares each reading of the offset with the one before."""

    def __init__(self) -> None:
        self._offset_ns: int | None = None

    def update(self, offset_ns: int, uncertainty_ns: int) -> int:
        """The step since the last call in nanoseconds, positive when the clock went forward; 0 for none.

        A reading too uncertain to tell a step is left out: the next one will show it.
        """
        if uncertainty_ns >= LEAST_STEP_NS:
            return 0
        if self._offset_ns is None:
            self._offset_ns = offset_ns
        step = offset_ns - self._offset_ns
        if abs(step) < LEAST_STEP_NS:
            return 0
        self._offset_ns = offset_ns
        return step
