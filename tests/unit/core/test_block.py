# SPDX-License-Identifier: MIT
"""Blocks give back every value of every series, also of those that came and went while they were open."""

from __future__ import annotations

import tracemalloc
import zlib
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from hwinfod.core.block import Row, merge, seal
from hwinfod.core.series import Layout, SeriesIndex
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


def test_a_series_that_stands_twice_is_counted_once():
    one, gone = make_series(SeriesIndex(), "one", "gone")
    rows = [Row(Layout([gone]), 1, SECOND, [5]), Row(Layout([one] * 60), 2, 2 * SECOND, [7] * 60)]
    sealed = seal(rows, 0)
    assert sealed.read(one) == [None, 7]
    assert sealed.read(gone) == [5, None]
    assert sealed.size_bytes > seal(rows[1:], 0).size_bytes


def _identity(n):
    from tests.unit.core.builders import VALUE

    return VALUE, (str(n),)


def test_reading_one_series_inflates_one_frame(monkeypatch):
    series = make_series(SeriesIndex(), *map(str, range(4000)))
    sealed = seal(make_rows(Layout(series), [[i, i + 1] for i in range(4000)]), 0)
    inflated = []
    real = zlib.decompress
    monkeypatch.setattr(zlib, "decompress", lambda data, *how: inflated.append(len(data)) or real(data, *how))
    assert sealed.read(series[3999]) == [3999, 4000]
    assert len(inflated) == 1
    assert inflated[0] < sealed.size_bytes / 50


def test_merged_blocks_say_what_they_said_one_by_one():
    series = make_series(SeriesIndex(), *map(str, range(40)))
    layout = Layout(series)
    columns = [[None if i % (j + 2) == 1 else i * j for i in range(90)] for j in range(40)]
    columns[33] = [10**12 - value for value in columns[3] if value is not None] * 2
    rows = make_rows(layout, columns, start=5 * SECOND)
    merged = merge([seal(rows[start : start + 20], wall_offset_ns=7) for start in (0, 20, 40, 60)])
    assert (merged.count, merged.wall_offset_ns) == (80, 7)
    assert (merged.first_boottime_ns, merged.last_boottime_ns) == (5 * SECOND, 84 * SECOND)
    assert merged.boottimes_ns() == [(5 + i) * SECOND for i in range(80)]
    for one, column in zip(series, columns):
        assert merged.read(one) == column[:80]


def test_the_size_is_what_the_interpreter_keeps():
    series = make_series(SeriesIndex(), *map(str, range(64)))
    rows = make_rows(Layout(series), [[float(i * j) for j in range(60)] for i in range(64)])
    seal(rows, 0)
    kept = deque()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept.extend(seal(rows, 0) for _ in range(300))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    stated = sum(block.size_bytes for block in kept)
    assert 0.9 * stated < after - before <= stated
