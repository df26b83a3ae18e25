# SPDX-License-Identifier: MIT
"""How many owners have series of their own, and what becomes of the rest. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hwinfod.core.owner import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

V = TypeVar("V", int, float)
Labels = tuple[str, ...]

YOUNGEST_SECONDS = 60  # owners that come and go within a minute have no series
OTHER: Labels = ("other", "other", *("" for _ in LABELS[2:]))


class Budget:
    """Which owners have series. Counters are there for all or, beyond the budget, for none: a counter that leaves and
    comes back breaks every rate. They come back when a tenth of the budget is free."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.is_over = False
        self.dropped = 0

    def choose(self, since: Mapping[Labels, float]) -> list[Labels]:
        """The owners that keep gauges of their own: the oldest, so that nobody's series come and go. The gauges of the
        others belong to `OTHER`."""
        self.is_over = len(since) > (self._most * 9 // 10 if self.is_over else self._most)
        self.dropped = max(0, len(since) - self._most)
        return sorted(since, key=lambda labels: (since[labels], labels))[: self._most]


def add_rows(one: Sequence[V | None], other: Sequence[V | None]) -> list[V | None]:
    """Two rows of gauges as one, value by value. None where neither has one."""
    return [b if a is None else a if b is None else a + b for a, b in zip(one, other, strict=True)]
