# SPDX-License-Identifier: MIT
"""Blocks give back every value of every series, also of those that came and went while they were open."""

from __future__ import annotations

import contextlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwinfod.core import block as block_module
from hwinfod.core.block import Row, seal, unpack_column
from hwinfod.core.series import Layout, SeriesIndex
from hwinfod.errors import ParseError
from tests.unit.core.builders import SECOND, identical, make_rows, make_series

values = st.one_of(st.none(), st.integers(-(2**66), 2**66), st.floats())


@given(
    st.integers(1, 60).flatmap(lambda n: st.lists(st.lists(values, min_size=n, max_size=n), min_size=1, max_size=70))
)
@settings(max_examples=50)
def test_every_series_of_a_sealed_block_is_what_was_appended(columns):
    series = make_series(SeriesIndex(), *map(str, range(len(columns))))
    sealed = seal(make_rows(Layout(series), columns, start=5 * SECOND), wall_offset_ns=7)
    assert sealed.count == len(columns[0])
    assert sealed.boottimes_ns() == [(5 + i) * SECOND for i in range(len(columns[0]))]
    for one, column in zip(series, columns):
        assert identical(sealed.read(one), column)


@given(st.lists(st.sets(st.integers(0, 40)), min_size=1, max_size=30))
@settings(max_examples=50)
def test_series_that_come_and_go_are_absent_where_they_were_not(living):
    index = SeriesIndex()
    series = {n: index.intern(*_identity(n)) for n in range(41)}
    rows = [
        Row(Layout([series[n] for n in sorted(now, reverse=tick % 2)]), tick, tick * SECOND,
            [tick * 100 + n for n in sorted(now, reverse=tick % 2)])
        for tick, now in enumerate(living)
    ]  # fmt: skip
    sealed = seal(rows, 0)
    for n, one in series.items():
        expected = [tick * 100 + n if n in now else None for tick, now in enumerate(living)]
        found = sealed.read(one)
        assert expected == found if any(n in now for now in living) else found is None


def _identity(n):
    from tests.unit.core.builders import VALUE

    return VALUE, (str(n),)


def test_reading_one_series_inflates_one_frame(monkeypatch):
    series = make_series(SeriesIndex(), *map(str, range(4000)))
    sealed = seal(make_rows(Layout(series), [[i, i + 1] for i in range(4000)]), 0)
    inflated = []
    monkeypatch.setattr(zlib, "decompress", lambda data, real=zlib.decompress: inflated.append(len(data)) or real(data))
    assert sealed.read(series[3999]) == [3999, 4000]
    assert len(inflated) == 1
    assert len(sealed.frames) == -(-4000 // block_module.FRAME_COLUMNS)


def test_the_size_counts_what_is_kept():
    series = make_series(SeriesIndex(), *map(str, range(64)))
    sealed = seal(make_rows(Layout(series), [[float(i * j) for j in range(60)] for i in range(64)]), 0)
    assert sealed.size_bytes > sum(map(len, sealed.frames)) + len(sealed.times)


@given(st.binary(max_size=300))
def test_a_damaged_frame_raises_parse_error(data):
    for frame in (data, zlib.compress(data)):
        with contextlib.suppress(ParseError):
            unpack_column(frame, 1, 2, 60)


def test_a_truncated_frame_is_refused():
    with pytest.raises(ParseError):
        unpack_column(zlib.compress(b"\x03"), 0, 2, 60)
