# SPDX-License-Identifier: MIT
"""Attributes on bytes: walking a table, reading a value. Pure; raises ParseError and always ends.

Source: include/net/netlink.h. Integers are in the host's order, padding (type 0) may stand before a u64,
NLA_F_NESTED is set by some commands and not by others: it is masked.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

from hwinfod.errors import ParseError
from hwinfod.sources.nldev.attributes import NAMES, TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_NLA_TYPE_MASK = 0x3FFF
_NLA = struct.Struct("=HH")
_FAMILY = struct.Struct("=H")
_PORT = struct.Struct("!H")


def iter_attributes(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, first byte and end of each attribute between `start` and `end`. Raises ParseError."""
    while end - start >= _NLA.size:
        length, number = _NLA.unpack_from(data, start)
        if length < _NLA.size or length > end - start:
            raise ParseError(f"attribute at byte {start}: length {length}, {end - start} bytes are left")
        yield number & _NLA_TYPE_MASK, start + _NLA.size, start + length
        start += (length + 3) & ~3


def _integer(format_: str) -> Callable[[bytes, int, int], int]:
    shape = struct.Struct(format_)

    def read(data: bytes, start: int, end: int) -> int:
        if end - start != shape.size:
            raise ParseError(f"attribute at byte {start}: {end - start} bytes, {shape.size} expected")
        value: int = shape.unpack_from(data, start)[0]
        return value

    return read


def _text(data: bytes, start: int, end: int) -> str:
    return data[start:end].split(b"\x00", 1)[0].decode("utf-8", "replace")


def _socket_address(data: bytes, start: int, end: int) -> str:
    """A __kernel_sockaddr_storage as `rdma` prints it: address:port, "" for a family without both."""
    if end - start < 28:
        raise ParseError(f"socket address at byte {start}: {end - start} bytes")
    (family,) = _FAMILY.unpack_from(data, start)
    (port,) = _PORT.unpack_from(data, start + 2)
    if family == socket.AF_INET:
        return f"{socket.inet_ntop(family, data[start + 4 : start + 8])}:{port}"
    if family == socket.AF_INET6:
        return f"[{socket.inet_ntop(family, data[start + 8 : start + 24])}]:{port}"
    return ""


_READERS: dict[str, Callable[[bytes, int, int], Any]] = {
    "uint8": _integer("=B"),
    "uint32": _integer("=I"),
    "uint64": _integer("=Q"),
    "int32": _integer("=i"),
    "int64": _integer("=q"),
    "asciiz": _text,
    "sockaddr": _socket_address,
    "cdata": lambda data, start, end: data[start:end],
}
READER = {number: _READERS[kind] for number, kind in TYPES.items() if kind in _READERS}


def read_value(number: int, data: bytes, start: int, end: int) -> Any:
    """The value of an attribute that is no table. Raises ParseError, which names the attribute."""
    try:
        return READER[number](data, start, end)
    except ParseError as error:
        raise ParseError(f"{NAMES[number]}: {error}") from None


def fill(data: bytes, start: int, end: int, slots: Mapping[int, int], values: list[Any]) -> None:
    """Put the attributes named by `slots` (number -> index) into `values`; unknown ones are skipped."""
    for number, first, last in iter_attributes(data, start, end):
        slot = slots.get(number)
        if slot is not None:
            values[slot] = read_value(number, data, first, last)
