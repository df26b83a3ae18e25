# SPDX-License-Identifier: MIT
"""Columns as bytes, lossless: constants once, integers as deltas, decimals as integers with a scale, other
floats as XOR of bit patterns, absence as a bitmap.

A column is a list of int, float or None. `encode` gives a code byte and a payload; `decode` gives the same
list back: same types, same bit patterns (NaN payloads and -0.0 too), integers of any size. Numbers stand in the
machine's own byte order: a block does not leave the machine that made it.

Decimals: most sensors report a decimal number in a binary double (45.125, 0.37, 1234.56 s). Where every value
is an integer divided by one power of ten, the integers are stored: the idea of ALP (Afroozeh and others, 2023).
Steps: sizes are counted in pages and sectors, so that integers change in multiples of 512 or 4096.
XOR of patterns against the value before: the idea of Gorilla (Pelkonen and others, 2015), here on whole columns
with the bytes transposed. How differences of integers become bytes: `packing`.
"""

from __future__ import annotations

import struct
from array import array
from itertools import accumulate, repeat
from math import gcd
from operator import mul, sub, truediv
from typing import TYPE_CHECKING, Optional, Union

from hwinfod.core.packing import PACKINGS, from_planes, pack, packed_size, to_planes, unpack
from hwinfod.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Value = Optional[Union[int, float]]  # noqa: UP007, UP045  an alias is evaluated: 3.10 has no lazy form of it
Coded = tuple[int, bytes]  # a column's code and its payload

ABSENT, CONSTANT_INT, CONSTANT_FLOAT, XOR, TEXT = range(5)
DELTAS, STEPS, DECIMALS = (PACKINGS * n for n in (1, 2, 3))  # each + packing; DECIMALS + PACKINGS * scale + packing
HOLES = 0x80  # added to a code: a presence bitmap stands before the payload

_SCALES = (1.0, 1e1, 1e2, 1e3, 1e4, 1e6, 1e9)
_PROBES = 4
_LEAST_STEP = 8  # a common divisor that saves more than the eight bytes in which it stands


def encode(values: Sequence[Value]) -> Coded:
    """The code and the payload of a column."""
    kinds = set(map(type, values))
    if type(None) not in kinds:
        return _encode_present(values, kinds)
    kinds.remove(type(None))
    if not kinds:
        return ABSENT, b""
    bits = sum(1 << i for i, value in enumerate(values) if value is not None)
    code, payload = _encode_present([value for value in values if value is not None], kinds)
    return code | HOLES, bits.to_bytes((len(values) + 7) // 8, "little") + payload


def decode(code: int, payload: bytes, count: int) -> list[Value]:
    """The column of `count` values behind a code and its payload. Raises ParseError."""
    if code == ABSENT:
        return [None] * count
    if not code & HOLES:
        return _decode_present(code, payload, count)
    size = (count + 7) // 8
    bits = int.from_bytes(payload[:size], "little") & ((1 << count) - 1)
    values = _decode_present(code & ~HOLES, payload[size:], bits.bit_count())
    if len(values) != bits.bit_count():
        raise ParseError(f"damaged column (code {code}): {len(values)} values for {bits.bit_count()} places")
    present = iter(values)
    return [next(present) if bits >> i & 1 else None for i in range(count)]


def payload_size(code: int, data: bytes, offset: int, count: int) -> int:
    """How many bytes the payload that begins at `offset` of `data` has. Raises ParseError."""
    size = 0
    if code & HOLES:
        size = (count + 7) // 8
        bits = int.from_bytes(data[offset : offset + size], "little") & ((1 << count) - 1)
        count = bits.bit_count()
        code &= ~HOLES
    if code == ABSENT:
        return size
    if code in (CONSTANT_INT, CONSTANT_FLOAT):
        return size + 8
    if code == XOR:
        return size + 8 * count
    if code == TEXT:
        return size + 4 + int.from_bytes(data[offset + size : offset + size + 4], "little")
    if not DELTAS <= code < DECIMALS + PACKINGS * len(_SCALES):
        raise ParseError(f"unknown column code {code}")
    size += _head_size(code)
    return size + packed_size(code % PACKINGS, data, offset + size, count - 1)


def _head_size(code: int) -> int:
    """The first value, and the step where there is one."""
    return 16 if STEPS <= code < DECIMALS else 8


def _encode_present(values: Sequence[Value], kinds: set[type]) -> Coded:
    if kinds == {int}:
        return _encode_integers(values)  # type: ignore[arg-type]
    if kinds == {float}:
        return _encode_floats(values)  # type: ignore[arg-type]
    return TEXT, _to_text(values)


def _encode_integers(values: Sequence[int]) -> Coded:
    try:
        first = struct.pack("=q", values[0])
        if values.count(values[0]) == len(values):
            return CONSTANT_INT, first
        deltas = list(map(sub, values[1:], values))
        step = gcd(*deltas)
        if step >= _LEAST_STEP:
            packing, packed = pack([delta // step for delta in deltas])
            return STEPS + packing, first + struct.pack("=q", step) + packed
        packing, packed = pack(deltas)
    except (struct.error, OverflowError):  # outside int64
        return TEXT, _to_text(values)
    return DELTAS + packing, first + packed


def _encode_floats(values: Sequence[float]) -> Coded:
    patterns = array("d", values).tobytes()
    if patterns == patterns[:8] * len(values):
        return CONSTANT_FLOAT, patterns[:8]
    for index, scale in enumerate(_SCALES):
        integers = _as_integers(values, scale, patterns)
        if integers is not None:
            try:
                first = struct.pack("=q", integers[0])
                packing, packed = pack(list(map(sub, integers[1:], integers)))
            except (struct.error, OverflowError):  # outside int64
                break
            return DECIMALS + PACKINGS * index + packing, first + packed
    return XOR, _to_xor(patterns)


def _as_integers(values: Sequence[float], scale: float, patterns: bytes) -> list[int] | None:
    """The integers that divided by `scale` give exactly these bit patterns; None where there are none."""
    try:
        for value in values[:_PROBES]:
            if round(value * scale) / scale != value:
                return None
        integers = list(map(float.__round__, map(mul, values, repeat(scale))))  # at half the price of `round`
    except (ValueError, OverflowError):  # NaN, infinity
        return None
    return integers if array("d", map(truediv, integers, repeat(scale))).tobytes() == patterns else None


def _decode_present(code: int, payload: bytes, count: int) -> list[Value]:
    try:
        if code == CONSTANT_INT:
            return [struct.unpack_from("=q", payload)[0]] * count
        if code == CONSTANT_FLOAT:
            return [struct.unpack_from("=d", payload)[0]] * count
        if code == XOR:
            return array("d", _from_xor(payload)).tolist()  # type: ignore[return-value]
        if code == TEXT:
            return _from_text(payload)
        integers = _undo_deltas(code, payload, count)
        if code < DECIMALS:
            return integers  # type: ignore[return-value]
        return list(map(truediv, integers, repeat(_SCALES[(code - DECIMALS) // PACKINGS])))
    except (ValueError, IndexError, struct.error) as error:
        raise ParseError(f"damaged column (code {code}): {error}") from None


def _undo_deltas(code: int, payload: bytes, count: int) -> list[int]:
    head = _head_size(code)
    deltas = unpack(code % PACKINGS, payload[head:], count - 1)
    if head > 8:
        step = struct.unpack_from("=q", payload, 8)[0]
        deltas = [delta * step for delta in deltas]
    return list(accumulate(deltas, initial=struct.unpack_from("=q", payload)[0]))


def _to_xor(patterns: bytes) -> bytes:
    """Each 8-byte pattern XORed with the one before it, then byte planes one after the other."""
    number = int.from_bytes(patterns, "little")
    mixed = (number ^ (number << 64)) & ((1 << 8 * len(patterns)) - 1)
    return to_planes(mixed.to_bytes(len(patterns), "little"), 8)


def _from_xor(payload: bytes) -> bytes:
    number = int.from_bytes(from_planes(payload, 8), "little")
    mask = (1 << 8 * len(payload)) - 1
    shift = 64
    while shift < 8 * len(payload):  # a running XOR in log2(count) steps
        number = (number ^ (number << shift)) & mask
        shift *= 2
    return number.to_bytes(len(payload), "little")


def _to_text(values: Iterable[Value]) -> bytes:
    words = (f"i{v:x}" if isinstance(v, int) else "f" + struct.pack(">d", v).hex() for v in values)
    text = "\n".join(words).encode()
    return len(text).to_bytes(4, "little") + text


def _from_text(payload: bytes) -> list[Value]:
    words = payload[4:].decode("ascii").split("\n")
    return [int(w[1:], 16) if w[0] == "i" else struct.unpack(">d", bytes.fromhex(w[1:]))[0] for w in words]
