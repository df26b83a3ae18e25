# SPDX-License-Identifier: MIT
"""Sums by label values. Pure.

Several cgroups may have the same labels: a container and the one that is started in its place, the tasks of a job,
containers of a pod whose names are not known yet. Their counters are added up so that the sum never falls: what is
gone has used what it used, and a counter that starts anew adds what it counts from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from hwinfod.core.codec import Value

Labels = tuple[str, ...]
Figures = tuple["int | None", ...]


class Sums(NamedTuple):
    """Of one owner: counters, and gauges as they are now. None where no cgroup told."""

    counters: list[int | None]
    gauges: list[int | None]


class Accounts:
    """The owners of one table. For one thread."""

    def __init__(self) -> None:
        self._totals: dict[Labels, list[int | None]] = {}
        self._last: dict[Labels, dict[Hashable, Figures]] = {}

    def update(self, readings: Iterable[tuple[Labels, Hashable, Figures, Figures]]) -> dict[Labels, Sums]:
        """The sums after one more pass over all (labels, cgroup, counters, gauges). An owner without a cgroup in
        this pass is forgotten."""
        sums: dict[Labels, Sums] = {}
        last: dict[Labels, dict[Hashable, Figures]] = {}
        for labels, member, counters, gauges in readings:
            known = sums.get(labels)
            if known is None:
                totals = self._totals.get(labels) or [None] * len(counters)
                sums[labels] = Sums(totals, list(gauges))
            else:
                totals = known.counters
                known.gauges[:] = map(_plus, known.gauges, gauges)
            before = self._last.get(labels, {}).get(member)
            if counters != before:
                totals[:] = map(_grown, totals, counters, before or (None,) * len(counters))
            last.setdefault(labels, {})[member] = counters
        self._totals = {labels: found.counters for labels, found in sums.items()}
        self._last = last
        return sums


def _grown(total: int | None, now: int | None, before: int | None) -> int | None:
    if now is None:
        return total
    step = now - before if before is not None and now >= before else now
    return step if total is None else total + step


def _plus(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else one + other


class Budget:
    """Which owners have series. Counters are there for all or, beyond the budget, for none: a counter that leaves and
    comes back breaks every rate. They come back when a tenth of the budget is free."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.is_over = False
        self.dropped = 0

    def choose(self, since: Mapping[Labels, float]) -> list[Labels]:
        """The owners that keep gauges of their own: the oldest, so that nobody's series come and go."""
        self.is_over = len(since) > (self._most * 9 // 10 if self.is_over else self._most)
        self.dropped = max(0, len(since) - self._most)
        return sorted(since, key=lambda labels: (since[labels], labels))[: self._most]


def fold(rest: Sequence[Sums]) -> list[Value]:
    """The gauges of all others together."""
    folded: list[int | None] = list(rest[0].gauges)
    for sums in rest[1:]:
        folded[:] = map(_plus, folded, sums.gauges)
    return list(folded)
