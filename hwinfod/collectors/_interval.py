# SPDX-License-Identifier: MIT
"""Ratios over the last interval, from counters of time that only grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

# Ten thousandths are finer than any tick of the kernel's, and cost the ring two bytes instead of eight.
DIGITS = 4


class TimeShares:
    """Which part of the time since the last look a counter of time grew by, for each of many counters."""

    def __init__(self) -> None:
        self._before: dict[Hashable, tuple[float, float]] = {}

    def update(self, key: Hashable, counter_seconds: float, now: float) -> float | None:
        """0 to 1; None at the first look, and for an interval in which the counter fell: it wrapped, or what it
        counts left and came back. `now` is a monotonic time in seconds."""
        before = self._before.get(key)
        self._before[key] = (counter_seconds, now)
        if before is None:
            return None
        grown, elapsed = counter_seconds - before[0], now - before[1]
        if grown < 0 or elapsed <= 0:
            return None
        return round(min(grown / elapsed, 1.0), DIGITS)

    def forget(self, key: Hashable) -> None:
        """What it counts is gone."""
        self._before.pop(key, None)
