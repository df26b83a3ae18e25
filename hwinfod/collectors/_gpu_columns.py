# SPDX-License-Identifier: MIT
"""Columns of one GPU that are bound when it first has a value for them: no two GPUs have the same sensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.codec import Value
    from hwinfod.core.table import Column, Group, Table

Cells = dict["Column", "Value"]


class GpuColumns:
    """One GPU's part of a table. Columns come with the first value and stay until `release`."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._columns: tuple[Column, ...] = ()
        self._known: frozenset[Column] = frozenset()
        self._group: Group | None = None

    def set(self, cells: Mapping[Column, Value]) -> None:
        """Fills this tick's row; a column that is not in `cells` is absent."""
        if self._group is None or not self._known.issuperset(cells):
            self.release()
            self._columns = tuple(dict.fromkeys((*self._columns, *cells)))
            self._known = frozenset(self._columns)
            self._group = self._table.bind_columns(self._columns)
        self._group.set([cells.get(column) for column in self._columns])

    def release(self) -> None:
        """The GPU is gone, or not read any more."""
        if self._group is not None:
            self._group.release()
            self._group = None
