# SPDX-License-Identifier: MIT
from __future__ import annotations

import ctypes
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import Denied, ParseError
from hwinfod.sources.timex import Timex, parse_timex

STA_UNSYNC, STA_NANO = 0x40, 0x2000


class CTimex(ctypes.Structure):
    """struct timex as ctypes lays it out: a second opinion on the format string."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("fraction", ctypes.c_long),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


def test_fields_of_a_synchronised_clock() -> None:
    raw = bytes(CTimex(offset=-200_000, freq=655360, maxerror=1500, esterror=25, status=STA_NANO, tai=37))
    clock = parse_timex(raw, state=0)
    assert clock.is_synchronised
    assert clock.offset_seconds == -0.0002
    assert clock.frequency_ratio == pytest.approx(10e-6)
    assert (clock.maximum_error_seconds, clock.estimated_error_seconds) == (0.0015, 0.000025)
    assert clock.tai_offset_seconds == 37


def test_offset_is_microseconds_without_sta_nano() -> None:
    assert parse_timex(bytes(CTimex(offset=1500)), state=0).offset_seconds == 0.0015


@pytest.mark.parametrize(("status", "state"), [(STA_UNSYNC, 0), (0, 5), (STA_UNSYNC, 5)])
def test_not_synchronised(status: int, state: int) -> None:
    assert not parse_timex(bytes(CTimex(status=status)), state).is_synchronised


@given(st.binary(max_size=ctypes.sizeof(CTimex) + 8), st.integers(0, 5))
def test_arbitrary_bytes(data: bytes, state: int) -> None:
    try:
        clock = parse_timex(data, state)
    except ParseError:
        assert len(data) < ctypes.sizeof(CTimex)
        return
    assert isinstance(clock.is_synchronised, bool)


def test_the_real_clock() -> None:
    try:
        clock = Timex().read()
    except Denied:
        pytest.skip("adjtimex is refused here")
    assert clock.maximum_error_seconds >= 0
    assert abs(clock.frequency_ratio) <= 0.0005  # the kernel's own bound, MAXFREQ


def test_a_seccomp_filter_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_buffer: object) -> int:
        ctypes.set_errno(1)
        return -1

    timex = Timex()
    monkeypatch.setattr(timex, "_adjtimex", refuse)
    with pytest.raises(Denied, match="adjtimex"):
        timex.read()


def test_struct_is_as_long_as_the_compilers() -> None:
    assert struct.calcsize("@I llll i lll ll l ll i lllll i 44x") == ctypes.sizeof(CTimex)
