# SPDX-License-Identifier: MIT
"""The series of what owners use: which of them there are, and at which level they are exported."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hwinfod.core.metric import Level
from hwinfod.core.table import Groups
from hwinfod.owners.budget import OTHER, add_rows
from hwinfod.owners.usage.families import RDMA, SHAPES, Shape

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from hwinfod.core.codec import Value
    from hwinfod.core.table import Column, Table
    from hwinfod.owners.budget import Labels
    from hwinfod.owners.usage.accounts import Sums

# What a key begins with: shown at the levels of the metrics, or all of it at the most detailed one.
_EXPORTED, _RECORDED = "exported", "recorded"


class Rows:
    """The rows of all tables. Only some owners are shown at the levels of the metrics: a node has hundreds of them, and
    those who hold devices, or are batch jobs, are the ones that this daemon is asked about."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._exported: Collection[Labels] = ()
        self._keys: dict[Labels, str] = {}
        self._groups = {
            method: Groups(tables[method], partial(_columns, shape), _level_of) for method, shape in SHAPES.items()
        }
        self._rdma = Groups(tables["detail"], partial(_columns, RDMA), _level_of)

    def export(self, labels: Collection[Labels]) -> None:
        """Who is shown at the levels of the metrics from now on."""
        if labels != self._exported:
            self._exported = labels
            self._keys.clear()

    def fill(self, method: str, shown: Iterable[Labels], sums: Mapping[Labels, Sums], *, with_counters: bool) -> None:
        """The rows of the owners with series of their own; those of others are swept away."""
        shape, groups = SHAPES[method], self._groups[method]
        nothing: list[Value] = [None] * len(shape.counters)
        keys = self._keys
        for labels in shown:
            found = sums.get(labels)
            if found is not None:
                row = shape.shown(found.counters, found.gauges) if with_counters else [*nothing, *found.gauges]
                groups.set(keys.get(labels) or self._key(labels), row)
        if len(keys) > 2 * len(self._exported) + 2 * len(sums):  # most are of owners that are gone
            keys.clear()
        groups.sweep()

    def fold(self, method: str, rest: Sequence[Sums]) -> None:
        """The gauges of all others together. Comes before `fill`, which sweeps."""
        if rest:
            folded: Sequence[int | None] = rest[0].gauges
            for sums in rest[1:]:
                folded = add_rows(folded, sums.gauges)
            nothing: list[Value] = [None] * len(SHAPES[method].counters)
            self._groups[method].set(self._key(OTHER), [*nothing, *folded])

    def fill_rdma(self, readings: Iterable[tuple[Labels, str, int, int]]) -> None:
        """Handles and objects by owner and device."""
        sums: dict[str, list[int]] = {}
        for labels, device, handles, objects in readings:
            row = sums.setdefault(self._key(labels, device), [0, 0])
            row[:] = row[0] + handles, row[1] + objects
        for key, row in sums.items():
            self._rdma.set(key, row)
        self._rdma.sweep()

    def _key(self, labels: Labels, *more: str) -> str:
        is_exported = labels == OTHER or labels in self._exported
        key = "\0".join((_EXPORTED if is_exported else _RECORDED, *labels, *more))
        if not more:
            self._keys[labels] = key
        return key


def _level_of(key: str) -> Level | None:
    return None if key.startswith(_EXPORTED) else Level.DETAILED


def _columns(shape: Shape, key: str) -> list[Column]:
    _, *labels = key.split("\0")
    return [(metric, (*labels, *more)) for metric, more in shape.cells]
