# SPDX-License-Identifier: MIT
"""Frames: up to 32 columns of a block as one deflate stream, so that one series is read without the rest.

A frame holds a code byte for each column, then the payloads (`codec`). Where a column moves with an earlier one of
its frame (what is free and what is used of one memory), its code is TIED, and its payload is the place of that
column, with TURNED where the two move against each other, and then code and payload of what remains.
The stream has no header and no checksum: it does not leave the machine's memory.
"""

from __future__ import annotations

import zlib
from operator import add, sub
from typing import TYPE_CHECKING

from hwinfod.core import codec
from hwinfod.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.core.codec import Coded, Value

FRAME_COLUMNS = 32
TIED = 0x7F  # none of the codec's own
TURNED = 0x80  # added to the place of the other column
_LEVEL = 6
_RAW = -zlib.MAX_WBITS
_MEMORY_LEVEL = 4  # a code of its own for each 1,024 symbols: columns differ, and so do their bytes
_WIDE = frozenset(range(codec.DELTAS + 1, codec.DELTAS + 4)) | frozenset(range(codec.STEPS + 1, codec.STEPS + 4))
_MOST_OTHERS = 4
_PROBED_CHANGES = 120


def pack_frame(columns: Sequence[Sequence[Value]], *, tie: bool = False) -> bytes:
    """Columns as one stream. `tie` looks for those that move together, which is worth its time where many rows are
    packed for good."""
    coded = [codec.encode(column) for column in columns]
    if tie:
        _tie(columns, coded)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, _MEMORY_LEVEL)
    data = bytes(code for code, _ in coded) + b"".join(payload for _, payload in coded)
    return packer.compress(data) + packer.flush()


def unpack_column(frame: bytes | memoryview, column: int, width: int, count: int) -> list[Value]:
    """The values of one column of a frame of `width` columns of `count` values. Raises ParseError."""
    data = _inflate(frame, width)
    offset = width
    for code in data[:column]:
        offset += _payload_size(code, data, offset, count)
    coded = _cut(data, column, offset, count)
    if coded[0] != TIED:
        return codec.decode(*coded, count)
    offset, other = width, _tied_to(coded, column)
    for code in data[:other]:
        offset += _payload_size(code, data, offset, count)
    return _untie(coded, codec.decode(*_cut(data, other, offset, count), count))


def unpack_frame(frame: bytes | memoryview, width: int, count: int) -> list[list[Value]]:
    """All columns of a frame. Raises ParseError."""
    data = _inflate(frame, width)
    columns: list[list[Value]] = []
    offset = width
    for place in range(width):
        coded = _cut(data, place, offset, count)
        offset += len(coded[1])
        tied = coded[0] == TIED
        columns.append(_untie(coded, columns[_tied_to(coded, place)]) if tied else codec.decode(*coded, count))
    return columns


def _inflate(frame: bytes | memoryview, width: int) -> bytes:
    try:
        data = zlib.decompress(frame, _RAW)
    except zlib.error as error:
        raise ParseError(f"damaged frame: {error}") from None
    if len(data) < width:
        raise ParseError("damaged frame: too short for its codes")
    return data


def _cut(data: bytes, column: int, offset: int, count: int) -> Coded:
    code = data[column]
    size = _payload_size(code, data, offset, count)
    if offset + size > len(data):
        raise ParseError("damaged frame: too short for its columns")
    return code, data[offset : offset + size]


def _payload_size(code: int, data: bytes, offset: int, count: int) -> int:
    if code == TIED:
        rest = int.from_bytes(data[offset + 1 : offset + 2], "little")
        return 2 + codec.payload_size(rest, data, offset + 2, count)
    return codec.payload_size(code, data, offset, count)


def _tied_to(coded: Coded, column: int) -> int:
    place = coded[1][0] & ~TURNED if coded[1] else column
    if place >= column:
        raise ParseError("damaged frame: a column tied to none before it")
    return place


def _untie(coded: Coded, other: list[Value]) -> list[Value]:
    payload = coded[1]
    rest = codec.decode(payload[1], payload[2:], len(other))
    try:
        return list(map(sub if payload[0] & TURNED else add, rest, other))
    except (TypeError, OverflowError) as error:
        raise ParseError(f"damaged frame: a tied column: {error}") from None


def _tie(columns: Sequence[Sequence[Value]], coded: list[Coded]) -> None:
    """Codes anew what moves with a column before it. Only integers that need two bytes a change are looked at, and
    only a few columns are what others are tied to: a frame of counters would take the square of its columns."""
    others: list[tuple[int, Sequence[int]]] = []
    for place, (code, payload) in enumerate(coded):
        if code not in _WIDE:
            continue
        column: Sequence[int] = columns[place]  # type: ignore[assignment]  # what a wide code is given for
        tied = _tied(column, others)
        if tied is not None and len(tied[1]) < len(payload):
            coded[place] = tied
        elif len(others) < _MOST_OTHERS:
            others.append((place, column))


def _tied(column: Sequence[int], others: Sequence[tuple[int, Sequence[int]]]) -> Coded | None:
    """The column as what remains beside the best of the others; None where a quarter would not be saved."""
    stride = max(1, len(column) // _PROBED_CHANGES)
    changes = _some_changes(column, stride)
    least = sum(map(int.bit_length, changes)) * 3 // 4
    best = None
    for place, other in others:
        theirs = _some_changes(other, stride)
        for operation, turned in ((sub, 0), (add, TURNED)):
            bits = sum(map(int.bit_length, map(operation, changes, theirs)))
            if bits < least:
                least, best = bits, (place | turned, operation, other)
    if best is None:
        return None
    reference, operation, other = best
    code, payload = codec.encode(list(map(operation, column, other)))
    return TIED, bytes((reference, code)) + payload


def _some_changes(column: Sequence[int], stride: int) -> list[int]:
    return list(map(sub, column[1::stride], column[::stride]))
