# SPDX-License-Identifier: MIT
"""The ring: the recent history of all tables, in sealed blocks under one byte budget.

A table's lane appends; anyone reads. Each table has an open block of at most 60 raw rows; it is sealed when it is
full, when the wall clock was stepped, or when a quarter of its columns are dead.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwinfod.core.block import Block, Row, merge, seal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hwinfod.core.codec import Value
    from hwinfod.core.series import Layout, Series

BLOCK_ROWS = 60
MERGED_BLOCKS = 4  # so many blocks of a small table become one, and two of these, and two of those
MERGED_VALUES = 40_000
MERGED_ROWS = 1000
_STEP_NS = 100_000_000  # a wall clock that moved more than this against boot time was stepped, not slewed
_NOISE_NS = 1_000_000
_RAW_VALUE_BYTES = 32  # a list slot and a boxed number: what an open row costs


@dataclass(slots=True)
class History:
    """The blocks of one table, oldest first, and its open rows."""

    table: str
    wall_offset_ns: int = 0
    blocks: deque[Block] = field(default_factory=deque)
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Points:
    """Values of one series in time order. `wall_ns[i]` is when `values[i]` was sampled, by the clock of that time."""

    series: Series
    wall_ns: list[int]
    values: list[Value]


class Ring:
    """History of every table: at most `budget_bytes` and `duration_seconds`, the oldest block goes first."""

    def __init__(self, budget_bytes: int, duration_seconds: float) -> None:
        self._budget = budget_bytes
        self._duration_ns = int(duration_seconds * 1e9)
        self._lock = threading.Lock()
        self._tables: dict[str, History] = {}
        self._sealed_bytes = 0

    def append(self, table: str, row: Row, wall_offset_ns: int) -> None:
        """Records a published row. Called by the table's own lane only."""
        history = self._tables.get(table)
        if history is None:
            with self._lock:
                history = self._tables[table] = History(table)
        rows = history.rows
        if rows and (len(rows) >= BLOCK_ROWS or self._ends(history, row, wall_offset_ns)):
            self._seal(history)
        if not history.rows:
            history.wall_offset_ns = wall_offset_ns
        history.rows.append(row)

    def _ends(self, history: History, row: Row, wall_offset_ns: int) -> bool:
        if abs(wall_offset_ns - history.wall_offset_ns) > _STEP_NS:
            return True
        first, now = history.rows[0].layout, row.layout
        if first is now:
            return False
        living = set(now.columns)
        dead = sum(1 for series in first.columns if series not in living)
        return dead * 4 > len(first)

    def _seal(self, history: History) -> None:
        rows = history.rows
        block = seal(rows, history.wall_offset_ns)  # outside the lock: it takes milliseconds
        with self._lock:
            history.blocks.append(block)
            history.rows = []
            self._sealed_bytes += block.size_bytes
        self._merge(history)
        with self._lock:
            self._evict(rows[-1].boottime_ns)

    def _merge(self, history: History) -> None:
        """The last few blocks of a small table as one. Only the table's lane appends, and only the oldest are ever
        evicted, so that what is at the end stays there while it is packed."""
        blocks = list(history.blocks)  # none where another table's lane has just evicted them
        many = MERGED_BLOCKS if blocks and blocks[-1].count <= BLOCK_ROWS else 2
        last = blocks[-many:]
        if len(last) < many or not _are_alike(last):
            return
        merged = merge(last)
        with self._lock:
            if len(history.blocks) < many:
                return
            for _ in last:
                self._sealed_bytes -= history.blocks.pop().size_bytes
            history.blocks.append(merged)
            self._sealed_bytes += merged.size_bytes
        self._merge(history)

    def _evict(self, now_ns: int) -> None:
        for history in self._tables.values():
            if history.rows and now_ns - history.rows[-1].boottime_ns > self._duration_ns:
                history.rows = []
        while True:
            oldest = min(
                (h for h in self._tables.values() if h.blocks),
                key=lambda h: h.blocks[0].last_boottime_ns,
                default=None,
            )
            if oldest is None:
                return
            block = oldest.blocks[0]
            old = now_ns - block.last_boottime_ns > self._duration_ns
            if not old and self._sealed_bytes + self._open_bytes() <= self._budget:
                return
            oldest.blocks.popleft()
            self._sealed_bytes -= block.size_bytes

    def _open_bytes(self) -> int:
        return sum(_RAW_VALUE_BYTES * len(h.rows) * len(h.rows[-1].values) for h in self._tables.values() if h.rows)

    def size_bytes(self) -> int:
        """What the history occupies: sealed blocks, and the open rows by estimate."""
        with self._lock:
            return self._sealed_bytes + self._open_bytes()

    def oldest_wall_ns(self) -> int | None:
        """When the oldest recorded sample was taken; None while there is none."""
        with self._lock:
            starts = [
                h.blocks[0].first_boottime_ns + h.blocks[0].wall_offset_ns
                if h.blocks
                else h.rows[0].boottime_ns + h.wall_offset_ns
                for h in self._tables.values()
                if h.blocks or h.rows
            ]
        return min(starts, default=None)

    def blocks(self, table: str) -> list[Block]:
        """The sealed blocks of a table, oldest first."""
        with self._lock:
            history = self._tables.get(table)
            return list(history.blocks) if history else []

    def find(self, metric: str) -> dict[Series, str]:
        """All recorded series of a metric, the dead ones too, each with the table that holds it."""
        found: dict[Series, str] = {}
        for table, layout in self._layouts():
            for series in layout.columns:
                if series is not None and series.metric.name == metric:
                    found[series] = table
        return found

    def _layouts(self) -> Iterable[tuple[str, Layout]]:
        with self._lock:
            found: dict[Layout, str] = {}
            for history in self._tables.values():
                found.update((block.layout, history.table) for block in history.blocks)
                found.update((row.layout, history.table) for row in history.rows)
        return [(table, layout) for layout, table in found.items()]

    def read(self, table: str, series: Series, start_ns: int, end_ns: int) -> Points:
        """The values of a series between two wall-clock times (nanoseconds since 1970, both inclusive)."""
        with self._lock:
            history = self._tables.get(table)
            blocks = list(history.blocks) if history else []
            rows = list(history.rows) if history else []
            offset = history.wall_offset_ns if history else 0
        points = Points(series, [], [])
        for block in blocks:
            block_offset = block.wall_offset_ns
            first, last = block.first_boottime_ns + block_offset, block.last_boottime_ns + block_offset
            if first > end_ns or last < start_ns:
                continue
            values = block.read(series)
            if values is None:
                continue
            times = [time + block_offset for time in block.boottimes_ns()]
            inside = start_ns <= first and last <= end_ns
            _extend(points, zip(times, values), None if inside else (start_ns, end_ns))
        _extend(points, _from_rows(rows, series, offset), (start_ns, end_ns))
        return points

    def count(self, table: str, start_ns: int, end_ns: int) -> int:
        """At most so many rows `read` takes of a table between two wall-clock times: blocks count whole."""
        with self._lock:
            history = self._tables.get(table)
            if history is None:
                return 0
            return len(history.rows) + sum(
                block.count
                for block in history.blocks
                if block.first_boottime_ns + block.wall_offset_ns <= end_ns
                and block.last_boottime_ns + block.wall_offset_ns >= start_ns
            )

    def first(self, table: str, series: Series, start_ns: int) -> Value:
        """The oldest value of a series at or after a wall-clock time; None where there is none. One block is
        unpacked, as a rule, where `read` takes all."""
        with self._lock:
            history = self._tables.get(table)
            blocks = list(history.blocks) if history else []
            rows = list(history.rows) if history else []
            offset = history.wall_offset_ns if history else 0
        for block in blocks:
            block_offset = block.wall_offset_ns
            if block.last_boottime_ns + block_offset >= start_ns:
                times = [time + block_offset for time in block.boottimes_ns()]
                found = _first_present(zip(times, block.read(series) or ()), start_ns)
                if found is not None:
                    return found
        return _first_present(_from_rows(rows, series, offset), start_ns)


def _are_alike(blocks: Sequence[Block]) -> bool:
    """Whether blocks can be one: of one size and the same columns, not too large together, dated alike. The wall clock
    is slewed together with boot time, so that their distance moves by the noise of reading two clocks only."""
    first = blocks[0]
    if sum(block.count for block in blocks) * len(first.layout) > MERGED_VALUES:
        return False
    return all(
        block.layout is first.layout
        and block.count == first.count <= MERGED_ROWS // 2
        and abs(block.wall_offset_ns - first.wall_offset_ns) <= _NOISE_NS
        for block in blocks
    )


def _extend(points: Points, pairs: Iterable[tuple[int, Value]], limits: tuple[int, int] | None) -> None:
    for time, value in pairs:
        if limits is None or limits[0] <= time <= limits[1]:
            points.wall_ns.append(time)
            points.values.append(value)


def _from_rows(rows: Iterable[Row], series: Series, wall_offset_ns: int) -> Iterator[tuple[int, Value]]:
    for row in rows:
        position = row.layout.position(series)
        if position is not None:
            yield row.boottime_ns + wall_offset_ns, row.values[position]


def _first_present(pairs: Iterable[tuple[int, Value]], start_ns: int) -> Value:
    return next((value for time, value in pairs if time >= start_ns and value is not None), None)
