# SPDX-License-Identifier: MIT
from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.proc_pressure import Pressure, Stall, parse_pressure, parse_total_microseconds

BOTH = b"some avg10=0.73 avg60=1.01 avg300=0.36 total=3956984\nfull avg10=0.00 avg60=50.00 avg300=100.00 total=17\n"


def test_some_and_full() -> None:
    assert parse_pressure(BOTH) == Pressure(
        some=Stall(3956984, 0.0073, 0.0101, 0.0036),
        full=Stall(17, 0.0, 0.5, 1.0),
    )


def test_irq_has_full_only() -> None:
    assert parse_pressure(b"full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n").some is None


@pytest.mark.parametrize(
    "data", [b"", b"some\n", b"some avg10=x avg60=0 avg300=0 total=1\n", BOTH.replace(b"0.73", b"nan")]
)
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_pressure(data)


@given(st.binary() | st.binary().map(lambda tail: BOTH + tail))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        pressure = parse_pressure(data)
    except ParseError:
        return
    assert pressure.some is None or math.isfinite(pressure.some.ratio_10s)


def test_the_totals_alone() -> None:
    some = b"some avg10=0.00 avg60=0.00 avg300=0.00 total=3194092201\n"
    full = b"full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
    assert parse_total_microseconds(some + full) == (3194092201, 7)
    assert parse_total_microseconds(some) == (3194092201, None)
    assert parse_total_microseconds(full) == (None, 7)
    with pytest.raises(ParseError):
        parse_total_microseconds(b"some avg10=0.00\n")


@given(st.binary() | st.binary().map(lambda data: b"some " + data))
def test_arbitrary_bytes_behind_some(data: bytes) -> None:
    try:
        some, full = parse_total_microseconds(data)
        assert some is None or b"some " in data
        assert full is None or b"full " in data
    except ParseError:
        assert b"some " in data or b"full " in data
