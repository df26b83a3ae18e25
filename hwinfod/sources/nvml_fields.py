# SPDX-License-Identifier: MIT
"""Field values of a GPU: many numbers in one call, in a buffer that is kept.

Source: nvml.h, nvmlFieldValue_t (40 bytes) and nvmlValueType_t; each field has a return code of its own.
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING

from hwinfod.sources.nvml_errors import DeviceFailed, LibraryFailed, NvmlError, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hwinfod.sources.nvml import Handle, Session

ALL_LINKS = 0xFFFFFFFF  # as scope: the sum over all NVLinks

_FUNCTION = "nvmlDeviceGetFieldValues"
_RECORD = struct.Struct("=IIqqIi8s")
_HEAD = struct.Struct("=II")
_DOUBLE, _UINT, _ULONG, _ULONG_LONG, _LONG_LONG, _INT, _USHORT = range(7)
# A value that the driver does not have is all ones, whatever the return code says.
_DECODERS = {
    _UINT: (struct.Struct("=I4x"), 0xFFFFFFFF),
    _ULONG: (struct.Struct("=Q"), 0xFFFFFFFFFFFFFFFF),
    _ULONG_LONG: (struct.Struct("=Q"), 0xFFFFFFFFFFFFFFFF),
    _LONG_LONG: (struct.Struct("=q"), None),
    _INT: (struct.Struct("=i4x"), None),
    _USHORT: (struct.Struct("=H6x"), 0xFFFF),
}
_FOR_THE_LAST_TIME = frozenset({2, 3, 13, 25, 26})  # unknown to this driver, or not supported by this GPU


def parse_field_values(data: bytes) -> list[tuple[int, int | float | None]]:
    """Return code and value of each record; None where there is none. NaN and infinities are none either."""
    values: list[tuple[int, int | float | None]] = []
    for _id, _scope, _timestamp, _latency, kind, code, raw in _RECORD.iter_unpack(data):
        value: int | float | None = None
        if code == 0:
            decoder = _DECODERS.get(kind)
            if decoder is not None:
                (value,) = decoder[0].unpack(raw)
                if value == decoder[1]:
                    value = None
            elif kind == _DOUBLE:
                (number,) = struct.unpack("=d", raw)
                value = number if abs(number) < float("inf") else None
        values.append((code, value))
    return values


class FieldReader:
    """The fields (id, scope) of one GPU; `read` gives a value for each, in this order."""

    def __init__(self, session: Session, handle: Handle, fields: Sequence[tuple[int, int]]) -> None:
        self.fields = tuple(fields)
        self._session = session
        self._handle = handle
        self._buffer = ctypes.create_string_buffer(_RECORD.size * len(self.fields))
        for index, (id_, scope) in enumerate(self.fields):
            _HEAD.pack_into(self._buffer, index * _RECORD.size, id_, scope)

    def read_all(self) -> list[tuple[int, int | float | None]]:
        """Return code and value of each. Raises NvmlError."""
        if not self.fields:
            return []
        self._session.invoke(_FUNCTION, self._handle, ctypes.c_int(len(self.fields)), self._buffer)
        return parse_field_values(self._buffer.raw)

    def first_of_each(self, column: Callable[[tuple[int, int]], object]) -> FieldReader:
        """A reader of the first of those fields that fill the same column."""
        fields: dict[object, tuple[int, int]] = {}
        for field in self.fields:
            fields.setdefault(column(field), field)
        return FieldReader(self._session, self._handle, tuple(fields.values()))

    def read(self) -> list[int | float | None]:
        return [value for _, value in self.read_all()]


def find_fields(session: Session, handle: Handle, fields: Sequence[tuple[int, int]]) -> FieldReader:
    """A reader of those fields that this GPU and driver have; of all of them where that cannot be found out now.
    Raises DeviceFailed and LibraryFailed."""
    reader = FieldReader(session, handle, fields)
    try:
        codes = reader.read_all()
    except Unsupported:
        return FieldReader(session, handle, ())
    except (DeviceFailed, LibraryFailed):
        raise
    except NvmlError:
        return reader
    return FieldReader(session, handle, [f for f, (code, _) in zip(fields, codes) if code not in _FOR_THE_LAST_TIME])
