# SPDX-License-Identifier: MIT
"""The wire format of protocol buffers, for the few fields that are read and written here.

Messages of runtimes and kubelet are known by field number (each module names its .proto); unknown fields are
skipped, as proto3 asks. By hand and not by google.protobuf: that costs 4.3 MiB and a C extension to read a
dozen fields. Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from hwinfod.errors import ParseError
from hwinfod.sources.files import clean_text

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_LENGTH = {_FIXED64: 8, _FIXED32: 4}
_SIGN, _ALL = 1 << 63, (1 << 64) - 1
# What a message of many tiny fields may make of our memory.
MOST_FIELDS = 1 << 18

Value = int | bytes


class Message:
    """A decoded message. Absent fields have proto3's defaults: "", 0, nothing; of a field that is not repeated
    the last one counts. A field of another wire type than asked for is as absent."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[int, list[Value]]) -> None:
        self._fields = fields

    def raw(self, number: int) -> bytes:
        """A bytes field, or an embedded message to be decoded later."""
        for value in reversed(self._fields.get(number, ())):
            if isinstance(value, bytes):
                return value
        return b""

    def text(self, number: int) -> str:
        """A string, printable."""
        return clean_text(self.raw(number))

    def texts(self, number: int) -> list[str]:
        return [clean_text(value) for value in self._fields.get(number, ()) if isinstance(value, bytes)]

    def integer(self, number: int) -> int:
        """An int32, int64 or enum as signed, a uint as it is up to 2^63, a bool as 0 or 1."""
        for value in reversed(self._fields.get(number, ())):
            if isinstance(value, int):
                return value - (_ALL + 1) if value & _SIGN else value
        return 0

    def message(self, number: int) -> Message:
        """An embedded message, an empty one where it is absent. Raises ParseError."""
        return decode(self.raw(number))

    def messages(self, number: int) -> list[Message]:
        """A repeated message. Raises ParseError."""
        return [decode(value) for value in self._fields.get(number, ()) if isinstance(value, bytes)]

    def mapping(self, number: int) -> dict[str, str]:
        """A map<string, string>: entries of key 1 and value 2. Raises ParseError."""
        return {entry.text(1): entry.text(2) for entry in self.messages(number)}


def decode(data: bytes) -> Message:
    """The fields of one message; what is embedded is decoded when asked for. Raises ParseError."""
    fields: dict[int, list[Value]] = {}
    position, end, count = 0, len(data), 0
    value: Value
    while position < end:
        key = data[position]
        if key < 0x80:  # fields 1 to 15, nearly all
            position += 1
        else:
            key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        count += 1
        if not number or count > MOST_FIELDS:
            raise ParseError(f"protobuf: field {number} at {position}")
        if kind == _VARINT:
            value, position = _varint(data, position)
        else:
            if kind == _BYTES:
                length, position = _varint(data, position)
            elif kind in _FIXED_LENGTH:
                length = _FIXED_LENGTH[kind]
            else:
                raise ParseError(f"protobuf: wire type {kind} at {position}")
            value = data[position : position + length]
            position += length
            if position > end:
                raise ParseError("protobuf: truncated")
        fields.setdefault(number, []).append(value)
    return Message(fields)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    try:
        while shift < 70:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & _ALL, position
            shift += 7
    except IndexError:
        pass
    raise ParseError(f"protobuf: varint at {position}")


def encode_integer(number: int, value: int) -> bytes:
    """A varint field: bool, enum, int or uint of at least 0."""
    return _encode_varint(number << 3 | _VARINT) + _encode_varint(value)


def encode_bytes(number: int, value: bytes | str) -> bytes:
    """A string, bytes or embedded message field."""
    data = value.encode() if isinstance(value, str) else value
    return _encode_varint(number << 3 | _BYTES) + _encode_varint(len(data)) + data


def _encode_varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
