# SPDX-License-Identifier: MIT
"""Accounts: what owners use of the host, by the kernel's own accounting of their cgroups. Every owner that the
accounting sees has one, whether or not it has series."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.codec import Value
    from hwinfod.core.metric import Metric

Cell = tuple["Metric", tuple[str, ...]]  # a metric of owners, and what stands behind the owner's own labels


class Account(NamedTuple):
    """One owner: `id`, `labels` and `identity` are those of core.owner.OwnerRecord, `cgroups` the paths of what is
    added up. `user` is whose it is by the cgroup alone, a uid in decimal or ""; `territory` the id of the owner who
    named the cgroup, "" where the host did. `figures` are the latest, as they were read.

    `network` says whose traffic is counted: "own", "host" (it has none of its own), "shared" (with an owner that has
    it), "hidden" (it may not be seen), or "" where it was not looked for.
    """

    id: str
    labels: tuple[str, ...]
    identity: Mapping[str, str]
    user: str
    territory: str
    cgroups: tuple[str, ...]
    network: str = ""
    figures: tuple[tuple[tuple[Cell, ...], tuple[int | None, ...]], ...] = ()

    def values(self) -> dict[Cell, Value]:
        """The figures that there are, as they are shown."""
        return {
            cell: figure if (scale := scale_of(cell[0])) == 1 else figure / scale
            for cells, figures in self.figures
            for cell, figure in zip(cells, figures, strict=True)
            if figure is not None
        }


@dataclass(frozen=True, slots=True)
class Accounting:
    """One pass, by owner id; `boottime_ns` when it was made, 0 before the first."""

    boottime_ns: int = 0
    owners: Mapping[str, Account] = field(default_factory=lambda: MappingProxyType({}))


def scale_of(metric: Metric) -> int:
    """What a figure is divided by to be shown: the kernel counts times in microseconds."""
    return 1_000_000 if metric.unit == "seconds" else 1
