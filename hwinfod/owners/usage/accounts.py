# SPDX-License-Identifier: MIT
"""Sums by label values. Pure.

Several cgroups may have the same labels: a container and the one that is started in its place, the tasks of a job,
containers of a pod whose names are not known yet. Their counters are added up so that the sum never falls: what is
gone has used what it used, and a counter that starts anew adds what it counts from there.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwinfod.owners.budget import add_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.owners.budget import Labels

Figures = tuple["int | None", ...]


@dataclass(slots=True)
class Sums:
    """Of one owner: counters, and gauges as they are now. None where no cgroup told. `members` are the counters of each
    cgroup as they were in the latest pass, `before` in the one before it."""

    counters: list[int | None]
    gauges: list[int | None]
    members: dict[Hashable, Figures] = field(default_factory=dict, compare=False)
    before: dict[Hashable, Figures] = field(default_factory=dict, compare=False)


class Accounts:
    """The owners of one table. For one thread."""

    def __init__(self) -> None:
        self._sums: dict[Labels, Sums] = {}

    def update(self, readings: Iterable[tuple[Labels, Hashable, Figures, Figures]]) -> dict[Labels, Sums]:
        """The sums after one more pass over all (labels, cgroup, counters, gauges): good until the next one. An owner
        without a cgroup in this pass is forgotten."""
        last = self._sums
        sums: dict[Labels, Sums] = {}
        for labels, member, counters, gauges in readings:
            known = sums.get(labels)
            if known is None:
                known = sums[labels] = last.get(labels) or Sums([None] * len(counters), [])
                known.before, known.members = known.members, {}
                known.gauges = list(gauges)
            else:
                known.gauges = add_rows(known.gauges, gauges)
            before = known.before.get(member)
            if counters != before:
                known.counters[:] = map(_grown, known.counters, counters, before or (None,) * len(counters))
            known.members[member] = counters
        self._sums = sums
        return sums


def _grown(total: int | None, now: int | None, before: int | None) -> int | None:
    if now is None:
        return total
    step = now - before if before is not None and now >= before else now
    return step if total is None else total + step
