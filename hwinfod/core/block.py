# SPDX-License-Identifier: MIT
"""Blocks of history: sealed rows of one table, column by column, in frames that are read one by one: sharing one
stream among 4,000 columns makes that read fifty times dearer.

What a block holds is one run of bytes. A table of ten columns packs an hour into a few hundred of them, and an
object for each number and each frame would outweigh that.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from hwinfod.core.frame import FRAME_COLUMNS, pack_frame, unpack_column, unpack_frame
from hwinfod.core.series import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hwinfod.core.codec import Value
    from hwinfod.core.series import Series

_HEAD = struct.Struct("=qqqIH")  # first and last time, wall offset, bytes of its own, rows
_END = struct.Struct("=I")  # of each part, counted from where the parts begin: the times, then the frames
_BLOCK_BYTES = 112  # in CPython: the block (48), a bytes object's head (33), its place in a deque (8), rounding up
_SERIES_BYTES = 400  # a series that nothing but this block names: object, labels, index entry


@dataclass(frozen=True, slots=True)
class Row:
    """One sample of a table: immutable once published.

    `sequence` counts the table's samples, `boottime_ns` is CLOCK_BOOTTIME when the sample began, `values[i]`
    belongs to `layout.columns[i]`: int, float or None (absent; never 0, never -1).
    """

    layout: Layout
    sequence: int
    boottime_ns: int
    values: list[Value]


class Block:
    """Sealed rows, immutable."""

    __slots__ = ("_data", "layout")

    def __init__(self, layout: Layout, data: bytes) -> None:
        self.layout = layout
        self._data = data

    @property
    def first_boottime_ns(self) -> int:
        return _HEAD.unpack_from(self._data)[0]  # type: ignore[no-any-return]

    @property
    def last_boottime_ns(self) -> int:
        return _HEAD.unpack_from(self._data)[1]  # type: ignore[no-any-return]

    @property
    def wall_offset_ns(self) -> int:
        """Wall clock minus boot time when the block began."""
        return _HEAD.unpack_from(self._data)[2]  # type: ignore[no-any-return]

    @property
    def count(self) -> int:
        """How many rows it has."""
        return _HEAD.unpack_from(self._data)[4]  # type: ignore[no-any-return]

    @property
    def size_bytes(self) -> int:
        """What it occupies, and what of series and layouts nothing else holds."""
        return _BLOCK_BYTES + len(self._data) + int(_HEAD.unpack_from(self._data)[3])

    def boottimes_ns(self) -> list[int]:
        times = unpack_column(self._part(0), 0, 1, self.count)
        return list(map(self.first_boottime_ns.__add__, times))  # type: ignore[arg-type]

    def read(self, series: Series) -> list[Value] | None:
        """All values of a series in this block, None for a block that does not name it."""
        position = self.layout.position(series)
        if position is None:
            return None
        frame, column = divmod(position, FRAME_COLUMNS)
        return unpack_column(self._part(1 + frame), column, self._width(frame), self.count)

    def columns(self) -> Iterator[list[Value]]:
        """All values of each series, in the order of the layout."""
        for frame in range(_frames(self.layout)):
            yield from unpack_frame(self._part(1 + frame), self._width(frame), self.count)

    def _width(self, frame: int) -> int:
        return min(FRAME_COLUMNS, len(self.layout) - frame * FRAME_COLUMNS)

    def _part(self, number: int) -> memoryview:
        at = _HEAD.size + number * _END.size
        begin = _END.unpack_from(self._data, at - _END.size)[0] if number else 0
        parts = _HEAD.size + (1 + _frames(self.layout)) * _END.size
        return memoryview(self._data)[parts + begin : parts + _END.unpack_from(self._data, at)[0]]


def _frames(layout: Layout) -> int:
    return -(-len(layout) // FRAME_COLUMNS)


def seal(rows: Sequence[Row], wall_offset_ns: int) -> Block:
    """The block of these rows, which are consecutive samples of one table (one row at least)."""
    layout, columns = _columns(rows)
    own_bytes = 0
    if layout is not rows[-1].layout:
        living = set(rows[-1].layout.columns)
        dead = sum(1 for series in layout.columns if series not in living)
        own_bytes = 8 * len(layout) + _SERIES_BYTES * dead
    return _pack(layout, wall_offset_ns, own_bytes, [row.boottime_ns for row in rows], columns)


def merge(blocks: Sequence[Block]) -> Block:
    """One block out of consecutive ones with the same layout and wall offset. A small table's blocks hold too few
    values to be packed well one by one."""
    first = blocks[0]
    columns = [list(chain.from_iterable(same)) for same in zip(*(block.columns() for block in blocks))]
    times = list(chain.from_iterable(block.boottimes_ns() for block in blocks))
    return _pack(first.layout, first.wall_offset_ns, 0, times, columns, tie=True)


def _pack(
    layout: Layout,
    wall_offset_ns: int,
    own_bytes: int,
    times: list[int],
    columns: Sequence[Sequence[Value]],
    *,
    tie: bool = False,
) -> Block:
    """`own_bytes` is what the block holds beside its bytes and nothing else does."""
    parts = [pack_frame([[time - times[0] for time in times]])]
    parts += (
        pack_frame(columns[start : start + FRAME_COLUMNS], tie=tie) for start in range(0, len(columns), FRAME_COLUMNS)
    )
    head = _HEAD.pack(times[0], times[-1], wall_offset_ns, own_bytes, len(times))
    return Block(layout, b"".join((head, *map(_END.pack, accumulate(map(len, parts))), *parts)))


def _columns(rows: Sequence[Row]) -> tuple[Layout, list[Sequence[Value]]]:
    """The rows transposed. Series that came widen the block to the right; where one is not, it is absent."""
    layout = rows[-1].layout
    if all(row.layout is layout for row in rows):
        return layout, list(zip(*(row.values for row in rows)))
    known = dict.fromkeys(chain.from_iterable(r.layout.columns for r in _first_of_each_layout(rows)))
    known.pop(None, None)
    position = {series: i for i, series in enumerate(known)}
    table: list[Sequence[Value]] = []
    for row in rows:
        wide: list[Value] = [None] * len(position)
        for series, value in zip(row.layout.columns, row.values):
            if series is not None:
                wide[position[series]] = value
        table.append(wide)
    return Layout(known), list(zip(*table))


def _first_of_each_layout(rows: Sequence[Row]) -> list[Row]:
    return [row for before, row in zip([None, *rows], rows) if before is None or before.layout is not row.layout]
