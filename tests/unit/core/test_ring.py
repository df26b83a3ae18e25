# SPDX-License-Identifier: MIT
"""The ring keeps what it promises: lossless, in wall-clock time, in its budget."""

from __future__ import annotations

import sys
import threading

from hwinfod.core.block import Row
from hwinfod.core.ring import BLOCK_ROWS, MERGED_BLOCKS, MERGED_VALUES, Ring
from hwinfod.core.series import Layout, SeriesIndex
from tests.unit.core.builders import EPOCH, SECOND, make_series

HOUR = 3600


def fill(ring, layout, count, *, table="t", start=0, offset=EPOCH, value=lambda i: i):
    for i in range(count):
        values = [value(start + i)] * len(layout)
        ring.append(table, Row(layout, start + i + 1, (start + i) * SECOND, values), offset)


def test_a_series_is_read_across_sealed_blocks_and_open_rows():
    series = make_series(SeriesIndex(), "a", "b")
    ring = Ring(1 << 20, HOUR)
    fill(ring, Layout(series), 150)
    assert len(ring.blocks("t")) == 2
    points = ring.read("t", series[1], EPOCH + 30 * SECOND, EPOCH + 140 * SECOND)
    assert points.values == list(range(30, 141))
    assert points.wall_ns == [EPOCH + i * SECOND for i in range(30, 141)]


def test_a_step_of_the_wall_clock_ends_the_block_and_dates_stay_right():
    series = make_series(SeriesIndex(), "a")
    layout = Layout(series)
    ring = Ring(1 << 20, HOUR)
    fill(ring, layout, 10)
    fill(ring, layout, 10, start=10, offset=EPOCH - HOUR * SECOND)
    fill(ring, layout, 10, start=20, offset=EPOCH - HOUR * SECOND + 50_000_000)  # slewed, not stepped
    assert [block.count for block in ring.blocks("t")] == [10]
    before = ring.read("t", series[0], EPOCH, EPOCH + 100 * SECOND)
    after = ring.read("t", series[0], EPOCH - HOUR * SECOND, EPOCH - HOUR * SECOND + 100 * SECOND)
    assert before.values == list(range(10))
    assert after.values == list(range(10, 30))


def test_a_block_ends_when_a_quarter_of_its_columns_are_dead():
    index = SeriesIndex()
    series = make_series(index, *"abcdefgh")
    ring = Ring(1 << 20, HOUR)
    fill(ring, Layout(series), 5)
    fill(ring, Layout(series[2:]), 5, start=5)
    assert ring.blocks("t") == []
    fill(ring, Layout(series[3:]), 5, start=10)
    assert [block.count for block in ring.blocks("t")] == [10]


def test_the_oldest_block_of_any_table_goes_first():
    series = make_series(SeriesIndex(), *map(str, range(20)))
    layout = Layout(series)
    unbounded = Ring(1 << 20, HOUR)
    fill(unbounded, layout, BLOCK_ROWS + 1, value=lambda i: i * 1.1)
    ring = Ring(unbounded.size_bytes() + unbounded.blocks("t")[0].size_bytes // 2, HOUR)
    fill(ring, layout, BLOCK_ROWS + 1, table="old", value=lambda i: i * 1.1)
    fill(ring, layout, BLOCK_ROWS + 1, table="new", start=100, value=lambda i: i * 1.1)
    assert ring.blocks("old") == []
    assert ring.read("new", series[0], 0, 2**63).values[-1] == (100 + BLOCK_ROWS) * 1.1


def test_the_budget_holds_while_series_come_and_go():
    index = SeriesIndex()
    ring = Ring(40_000, 10 * HOUR)
    for tick in range(1200):
        layout = Layout(make_series(index, *(f"{tick // 7}-{n}" for n in range(20))))
        ring.append("t", Row(layout, tick, tick * SECOND, [tick * n * 0.7 for n in range(20)]), EPOCH)
    assert ring.size_bytes() < 80_000
    assert len(index) < 20 * 1200 / 7 / 2, "series that no block names must be forgotten"


def test_what_is_older_than_the_duration_goes():
    series = make_series(SeriesIndex(), "a")
    ring = Ring(1 << 20, 120)
    fill(ring, Layout(series), 900)
    assert ring.read("t", series[0], 0, 2**63).values[0] >= 900 - 120 - 5 * BLOCK_ROWS
    assert ring.oldest_wall_ns() == EPOCH + ring.read("t", series[0], 0, 2**63).values[0] * SECOND


def test_a_dead_series_is_found_as_long_as_a_block_names_it():
    index = SeriesIndex()
    gone, stays = make_series(index, "gone", "stays")
    ring = Ring(1 << 20, HOUR)
    fill(ring, Layout([gone, stays]), 10)
    fill(ring, Layout([stays]), 10, start=10)
    assert set(ring.find("hw_test_value")) == {gone, stays}
    assert ring.read("t", gone, 0, 2**63).values == list(range(10))


def test_a_reader_beside_the_writer_misses_nothing():
    """Sealing takes the rows out while a reader looks: it must see each row once, in order."""
    series = make_series(SeriesIndex(), "a")
    layout = Layout(series)
    ring = Ring(8 << 20, 10 * HOUR)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        writer = threading.Thread(target=fill, args=(ring, layout, 4000))
        writer.start()
        seen = []
        while writer.is_alive():
            seen.append(ring.read("t", series[0], 0, 2**63).values)
        writer.join()
    finally:
        sys.setswitchinterval(interval)
    seen.append(ring.read("t", series[0], 0, 2**63).values)
    assert len(seen[-1]) == 4000
    for values in seen:
        assert values == list(range(len(values)))


def test_blocks_of_a_small_table_become_one_and_say_the_same():
    series = make_series(SeriesIndex(), "a", "b")
    layout = Layout(series)
    ring = Ring(1 << 20, 10 * HOUR)
    rows = 17 * BLOCK_ROWS + 70
    fill(ring, layout, rows, value=lambda i: i * 0.5)
    merged = MERGED_BLOCKS * BLOCK_ROWS
    assert [block.count for block in ring.blocks("t")] == [4 * merged, BLOCK_ROWS, BLOCK_ROWS]
    points = ring.read("t", series[1], 0, 2**63)
    assert points.values == [i * 0.5 for i in range(rows)]
    assert points.wall_ns == [EPOCH + i * SECOND for i in range(rows)]
    assert ring.size_bytes() == sum(b.size_bytes for b in ring.blocks("t")) + 2 * 10 * 32


def test_what_was_merged_is_merged_with_its_like():
    for blocks, counts in ((7, [4, 1, 1, 1]), (8, [8]), (13, [8, 4, 1]), (16, [16])):
        ring = Ring(1 << 20, 10 * HOUR)
        fill(ring, Layout(make_series(SeriesIndex(), "a")), blocks * BLOCK_ROWS + 1)
        assert [block.count for block in ring.blocks("t")] == [count * BLOCK_ROWS for count in counts]


def test_blocks_on_two_sides_of_a_step_stay_apart():
    series = make_series(SeriesIndex(), "a")
    ring = Ring(1 << 20, 10 * HOUR)
    fill(ring, Layout(series), 2 * BLOCK_ROWS)
    fill(ring, Layout(series), 4 * BLOCK_ROWS, start=2 * BLOCK_ROWS, offset=EPOCH + 5 * SECOND)
    assert {block.wall_offset_ns for block in ring.blocks("t")} == {EPOCH, EPOCH + 5 * SECOND}
    assert ring.read("t", series[0], 0, 2**63).values == list(range(6 * BLOCK_ROWS))


def test_large_tables_are_left_as_they_are():
    columns = MERGED_VALUES // (MERGED_BLOCKS * BLOCK_ROWS) + 1
    ring = Ring(1 << 24, 10 * HOUR)
    fill(ring, Layout(make_series(SeriesIndex(), *map(str, range(columns)))), MERGED_BLOCKS * BLOCK_ROWS + 1)
    assert {block.count for block in ring.blocks("t")} == {BLOCK_ROWS}


def test_the_first_value_after_a_time_is_that_of_the_whole_reading():
    series = make_series(SeriesIndex(), "a")
    ring = Ring(1 << 20, HOUR)
    fill(ring, Layout(series), 150, value=lambda i: None if i % 3 == 0 else i)
    for start in (-5, 0, 30, 59, 60, 118, 119, 120, 147, 149):
        values = ring.read("t", series[0], EPOCH + start * SECOND, EPOCH + 200 * SECOND).values
        expected = next((value for value in values if value is not None), None)
        assert ring.first("t", series[0], EPOCH + start * SECOND) == expected
    assert ring.first("t", series[0], EPOCH + 150 * SECOND) is None
    assert ring.first("u", series[0], EPOCH) is None
