# SPDX-License-Identifier: MIT
"""adjtimex(2): how the kernel's clock is disciplined. Asked with modes 0, which changes nothing.

Source: include/uapi/linux/timex.h. The call is refused (EPERM) by a seccomp filter on the group @clock, as
systemd's ProtectClock= makes one.
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass

from hwinfod.errors import ParseError, from_os_error

_CALL = "adjtimex(2)"

# struct timex with the C compiler's own alignment: modes, offset, freq, maxerror, esterror, status, constant,
# precision, tolerance, time (two longs), tick, eight PPS fields, tai; eleven reserved ints at the end.
_TIMEX = struct.Struct("@I llll i lll ll l ll i lllll i 44x")

_STA_UNSYNC = 0x0040
_STA_NANO = 0x2000
_TIME_ERROR = 5
_SCALED_PPM = 65536 * 1_000_000


@dataclass(frozen=True, slots=True)
class ClockDiscipline:
    """`offset_seconds` is what is still to be slewed away, `frequency_ratio` the correction of the oscillator
    (1e-6 is one part per million), `maximum_error_seconds` and `estimated_error_seconds` what the time daemon
    or the kernel vouches for. `is_synchronised` is the kernel's word: a time daemon that never tells the
    kernel (chronyd without rtcsync) leaves it false. `tai_offset_seconds` is 0 where nobody set it."""

    is_synchronised: bool
    offset_seconds: float
    frequency_ratio: float
    maximum_error_seconds: float
    estimated_error_seconds: float
    tai_offset_seconds: int
    status: int


def parse_timex(data: bytes, state: int) -> ClockDiscipline:
    """`struct timex` as the kernel filled it, and the call's return value. Raises ParseError."""
    if len(data) < _TIMEX.size:
        raise ParseError(f"{_CALL}: {len(data)} bytes, {_TIMEX.size} expected")
    fields = _TIMEX.unpack_from(data)
    _, offset, frequency, maximum_error, estimated_error, status = fields[:6]
    return ClockDiscipline(
        is_synchronised=state != _TIME_ERROR and not status & _STA_UNSYNC,
        offset_seconds=offset / (1_000_000_000 if status & _STA_NANO else 1_000_000),
        frequency_ratio=frequency / _SCALED_PPM,
        maximum_error_seconds=maximum_error / 1_000_000,
        estimated_error_seconds=estimated_error / 1_000_000,
        tai_offset_seconds=fields[-1],
        status=status,
    )


class Timex:
    """The call, bound once."""

    def __init__(self) -> None:
        self._buffer = ctypes.create_string_buffer(_TIMEX.size)
        self._adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
        self._adjtimex.argtypes = [ctypes.c_char_p]

    def read(self) -> ClockDiscipline:
        """Raises ReadError: Denied where a seccomp filter forbids the call."""
        ctypes.memset(self._buffer, 0, _TIMEX.size)
        state = self._adjtimex(self._buffer)
        if state < 0:
            number = ctypes.get_errno()
            raise from_os_error(OSError(number, os.strerror(number)), _CALL)
        return parse_timex(self._buffer.raw, state)
