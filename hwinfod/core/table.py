# SPDX-License-Identifier: MIT
"""A table: the columns of one clock. Its collector binds groups of columns and fills a row each tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.block import Row
from hwinfod.core.series import Layout, SeriesIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hwinfod.core.codec import Value
    from hwinfod.core.metric import Level, Metric
    from hwinfod.core.series import Series

Column = tuple["Metric", tuple[str, ...]]
STALE_INTERVALS = 3
_LEAST_HOLES = 16
_KINDS = {int, float, type(None)}


class Group:
    """Columns bound together: what one device (a disk, a CPU, a port) fills at once."""

    __slots__ = ("_table", "start", "width")

    def __init__(self, table: Table, start: int, width: int) -> None:
        self._table = table
        self.start = start
        self.width = width

    def set(self, values: Sequence[Value]) -> None:
        """Fills this tick's row, one value a column in the order of binding; None is absent."""
        if len(values) != self.width:
            raise ValueError(f"{self._table.name}: {len(values)} values for {self.width} columns")
        self._table.row[self.start : self.start + self.width] = values

    def release(self) -> None:
        """Gives the columns up: the thing is gone. The group may not be used afterwards."""
        self._table._release(self)


class Table:
    """Columns with one interval. Only its lane's thread touches it, but for `latest`, which anyone may read.

    `latest` is the last published row (immutable) or None before the first one.
    """

    def __init__(self, name: str, collector: str, interval_seconds: float, index: SeriesIndex) -> None:
        self.name = name
        self.collector = collector
        self.interval_seconds = interval_seconds
        self.latest: Row | None = None
        self.row: list[Value] = []
        self._index = index
        self._groups: list[Group] = []
        self._columns: list[Series | None] = []
        self._layout = Layout(())
        self._changed = False
        self._holes = 0
        self._sequence = 0

    def bind(self, metrics: Iterable[Metric], *labels: str, level: Level | None = None) -> Group:
        """A group of columns, one a metric, all with these label values."""
        return self.bind_columns([(metric, labels) for metric in metrics], level=level)

    def bind_columns(self, columns: Iterable[Column], *, level: Level | None = None) -> Group:
        """A group of columns, each with label values of its own. `level` overrides the metrics' own."""
        series = [self._index.intern(metric, labels, level) for metric, labels in columns]
        group = Group(self, len(self._columns), len(series))
        self._columns += series
        self._groups.append(group)
        self.row += [None] * len(series)
        self._changed = True
        return group

    def begin(self) -> None:
        """Starts a row: everything absent."""
        if self._holes > max(_LEAST_HOLES, len(self._columns) // 4):
            self._compact()
        self.row = [None] * len(self._columns)

    def publish(self, boottime_ns: int) -> Row:
        """Makes the row that was filled since `begin` the latest one. Raises TypeError on a foreign value."""
        foreign = set(map(type, self.row)) - _KINDS
        if foreign:
            raise TypeError(f"{self.name}: {self._name_foreign(foreign)} in a row; only int, float and None may be")
        if self._changed:
            self._layout = Layout(self._columns)
            self._changed = False
        self._sequence += 1
        self.latest = Row(self._layout, self._sequence, boottime_ns, self.row)
        self.row = []
        return self.latest

    def expires_ns(self) -> int:
        """The boot time after which the latest row says nothing any more; 0 before the first one."""
        row = self.latest
        return 0 if row is None else row.boottime_ns + int(STALE_INTERVALS * self.interval_seconds * 1e9)

    def clear(self) -> None:
        """Gives up all columns and the latest row: the collector was closed."""
        self._groups.clear()
        self._columns.clear()
        self._holes = 0
        self._changed = True
        self.latest = None

    def _name_foreign(self, foreign: set[type]) -> str:
        names = (f"{column} = {value!r}" for column, value in zip(self._columns, self.row) if type(value) in foreign)
        return next(names)

    def _release(self, group: Group) -> None:
        end = group.start + group.width
        self._columns[group.start : end] = [None] * group.width
        self.row[group.start : end] = [None] * len(self.row[group.start : end])
        self._holes += group.width
        self._groups.remove(group)
        self._changed = True

    def _compact(self) -> None:
        columns: list[Series | None] = []
        for group in self._groups:
            start, group.start = group.start, len(columns)
            columns += self._columns[start : start + group.width]
        self._columns = columns
        self._holes = 0
        self._changed = True


class Groups:
    """Groups by key, for things that come and go: bound when first set, released when a tick does not set them.

    `columns(key)` gives the columns of a new thing, `level(key)` its export level (None: the metrics' own).
    """

    def __init__(
        self,
        table: Table,
        columns: Callable[[str], Iterable[Column]],
        level: Callable[[str], Level | None] = lambda _key: None,
    ) -> None:
        self._table = table
        self._columns = columns
        self._level = level
        self._groups: dict[str, Group] = {}
        self._set: set[str] = set()

    def set(self, key: str, values: Sequence[Value]) -> None:
        group = self._groups.get(key)
        if group is None:
            group = self._table.bind_columns(self._columns(key), level=self._level(key))
            self._groups[key] = group
        group.set(values)
        self._set.add(key)

    def sweep(self) -> list[str]:
        """Releases what was not set since the last sweep, and says what that was."""
        gone = [key for key in self._groups if key not in self._set]
        for key in gone:
            self._groups.pop(key).release()
        self._set.clear()
        return gone

    def clear(self) -> None:
        """Releases all, in the middle of a tick too."""
        self._set.clear()
        self.sweep()
