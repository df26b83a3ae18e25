# SPDX-License-Identifier: MIT
"""Differences of integers as bytes that deflate well.

A packing is an index of `_WIDTHS`, with SPARSE added where fewer than a third of the differences are any: these stand
alone then, each with the number of rows skipped before it. Bytes of one weight stand together, so that zlib sees
runs. For the same reason the sign of a difference of two bytes or more is its lowest bit ("zigzag", as in Protocol
Buffers): small ones up and down have the same high bytes.
"""

from __future__ import annotations

from array import array
from itertools import compress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PACKINGS = 8
SPARSE = 4

_WIDTHS = (("b", 1), ("H", 2), ("I", 4), ("Q", 8))
_BOUNDS = tuple(1 << (8 * size - 1) for _, size in _WIDTHS)
_MOST_SKIPPED = 255


def pack(deltas: Sequence[int]) -> tuple[int, bytes]:
    """The packing of these numbers, at most 65,536, and their bytes. Raises OverflowError."""
    if 3 * (len(deltas) - deltas.count(0)) >= len(deltas):
        return _narrowest(deltas)
    skips, changes, end = bytearray(), [], 0
    for place, delta in compress(enumerate(deltas), deltas):
        skipped = place - end
        while skipped > _MOST_SKIPPED:  # a change by nothing stands between
            skips.append(_MOST_SKIPPED)
            changes.append(0)
            skipped -= _MOST_SKIPPED + 1
        skips.append(skipped)
        changes.append(delta)
        end = place + 1
    width, packed = _narrowest(changes)
    return SPARSE + width, len(changes).to_bytes(2, "little") + skips + packed


def unpack(packing: int, packed: bytes, count: int) -> Iterable[int]:
    """The `count` numbers behind a packing and its bytes. Raises ValueError and IndexError."""
    if not packing & SPARSE:
        return _from_narrow(packing, packed)
    deltas = [0] * count
    place = -1
    end = 2 + int.from_bytes(packed[:2], "little")
    for skipped, delta in zip(packed[2:end], _from_narrow(packing - SPARSE, packed[end:])):
        place += skipped + 1
        deltas[place] = delta
    return deltas


def packed_size(packing: int, data: bytes, offset: int, count: int) -> int:
    """How many bytes the `count` numbers have that begin at `offset` of `data`."""
    size = _WIDTHS[packing % SPARSE][1]
    if not packing & SPARSE:
        return count * size
    return 2 + int.from_bytes(data[offset : offset + 2], "little") * (1 + size)


def _narrowest(deltas: Sequence[int]) -> tuple[int, bytes]:
    """The narrowest array that holds these numbers. Raises OverflowError."""
    reach = max(max(deltas), -min(deltas) - 1)
    if reach < _BOUNDS[0]:
        return 0, array("b", deltas).tobytes()
    signed = [delta << 1 if delta >= 0 else ~(delta << 1) for delta in deltas]
    for index, (typecode, size) in enumerate(_WIDTHS[1:], 1):
        if reach < _BOUNDS[index]:
            return index, to_planes(array(typecode, signed).tobytes(), size)
    raise OverflowError


def _from_narrow(width: int, packed: bytes) -> Iterable[int]:
    typecode, size = _WIDTHS[width]
    numbers = array(typecode, from_planes(packed, size))
    return [~(number >> 1) if number & 1 else number >> 1 for number in numbers] if size > 1 else numbers


def to_planes(data: bytes, size: int) -> bytes:
    """Numbers of `size` bytes with their first bytes together, then their second bytes, and so on."""
    return data if size == 1 else b"".join(data[plane::size] for plane in range(size))


def from_planes(payload: bytes, size: int) -> bytes | bytearray:
    if size == 1:
        return payload
    count = len(payload) // size
    data = bytearray(len(payload))
    for plane in range(size):
        data[plane::size] = payload[plane * count : (plane + 1) * count]
    return data
