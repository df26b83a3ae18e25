# SPDX-License-Identifier: MIT
"""Blocks of history: sealed rows of one table, column by column, in frames that are read one by one.

A frame is a zlib stream of its own with the codes and payloads (`codec`) of up to 32 columns, so that one series
is read without the rest: sharing one stream among 4,000 columns makes that read fifty times dearer.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from hwinfod.core import codec
from hwinfod.core.series import Layout
from hwinfod.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.core.codec import Value
    from hwinfod.core.series import Series

FRAME_COLUMNS = 32
_ZLIB_LEVEL = 6
_OBJECT_BYTES = 33  # a bytes object's own header in CPython
_BLOCK_BYTES = 200  # the block itself, its tuple of frames, its numbers
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


@dataclass(frozen=True, slots=True)
class Block:
    """Sealed rows. `wall_offset_ns` is wall clock minus boot time when the block began."""

    layout: Layout
    first_sequence: int
    first_boottime_ns: int
    last_boottime_ns: int
    wall_offset_ns: int
    count: int
    times: bytes
    frames: tuple[bytes, ...]
    size_bytes: int

    def boottimes_ns(self) -> list[int]:
        return unpack_column(self.times, 0, 1, self.count)  # type: ignore[return-value]

    def read(self, series: Series) -> list[Value] | None:
        """All values of a series in this block, None for a block that does not name it."""
        position = self.layout.position(series)
        if position is None:
            return None
        frame, column = divmod(position, FRAME_COLUMNS)
        width = min(FRAME_COLUMNS, len(self.layout) - frame * FRAME_COLUMNS)
        return unpack_column(self.frames[frame], column, width, self.count)


def seal(rows: Sequence[Row], wall_offset_ns: int) -> Block:
    """The block of these rows, which are consecutive samples of one table (one row at least)."""
    layout, columns = _columns(rows)
    own_bytes = 0
    if layout is not rows[-1].layout:
        dead = len(layout) - sum(1 for series in rows[-1].layout.columns if series is not None)
        own_bytes = 8 * len(layout) + _SERIES_BYTES * dead
    return _pack(layout, rows[0].sequence, wall_offset_ns, [row.boottime_ns for row in rows], columns, own_bytes)


def merge(blocks: Sequence[Block]) -> Block:
    """One block out of consecutive ones with the same layout and wall offset. A small table's blocks hold too few
    values to be packed well one by one."""
    first = blocks[0]
    widths = [min(FRAME_COLUMNS, len(first.layout) - start) for start in range(0, len(first.layout), FRAME_COLUMNS)]
    columns = [
        list(chain.from_iterable(unpack_column(b.frames[frame], column, width, b.count) for b in blocks))
        for frame, width in enumerate(widths)
        for column in range(width)
    ]
    times = list(chain.from_iterable(block.boottimes_ns() for block in blocks))
    return _pack(first.layout, first.first_sequence, first.wall_offset_ns, times, columns, 0)


def _pack(
    layout: Layout,
    first_sequence: int,
    wall_offset_ns: int,
    times: list[int],
    columns: Sequence[Sequence[Value]],
    own_bytes: int,
) -> Block:
    """`own_bytes` is what the block holds beside its bytes and nothing else does."""
    frames = tuple(
        pack_frame(columns[start : start + FRAME_COLUMNS]) for start in range(0, len(columns), FRAME_COLUMNS)
    )
    packed_times = pack_frame([times])
    size = len(packed_times) + sum(map(len, frames)) + (_OBJECT_BYTES + 8) * (len(frames) + 1) + _BLOCK_BYTES
    return Block(
        layout=layout,
        first_sequence=first_sequence,
        first_boottime_ns=times[0],
        last_boottime_ns=times[-1],
        wall_offset_ns=wall_offset_ns,
        count=len(times),
        times=packed_times,
        frames=frames,
        size_bytes=size + own_bytes,
    )


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


def pack_frame(columns: Sequence[Sequence[Value]]) -> bytes:
    """Up to 32 columns as one zlib stream: a code byte each, then the payloads."""
    coded = [codec.encode(column) for column in columns]
    data = bytes(code for code, _ in coded) + b"".join(payload for _, payload in coded)
    return zlib.compress(data, _ZLIB_LEVEL)


def unpack_column(frame: bytes, column: int, width: int, count: int) -> list[Value]:
    """The values of one column of a frame of `width` columns of `count` values. Raises ParseError."""
    try:
        data = zlib.decompress(frame)
    except zlib.error as error:
        raise ParseError(f"damaged frame: {error}") from None
    if len(data) < width:
        raise ParseError("damaged frame: too short for its codes")
    offset = width
    for code in data[:column]:
        offset += codec.payload_size(code, data, offset, count)
    code = data[column]
    return codec.decode(code, data[offset : offset + codec.payload_size(code, data, offset, count)], count)
