# SPDX-License-Identifier: MIT
"""Tables: what is set is in the row, what is not is absent, and indices survive what comes and goes."""

from __future__ import annotations

import random

import pytest

from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.series import SeriesIndex
from hwinfod.core.table import Groups, Table
from tests.unit.core.builders import COUNT, SECOND, VALUE


def make_table():
    return Table("t", "c", 1.0, SeriesIndex())


def by_label(row):
    return {s.labels[0]: v for s, v in zip(row.layout.columns, row.values) if s is not None}


def test_what_is_not_set_is_absent():
    table = make_table()
    first, second = table.bind((VALUE,), "a"), table.bind((VALUE, COUNT), "b")
    table.begin()
    second.set((1.5, 7))
    row = table.publish(5 * SECOND)
    assert row.values == [None, 1.5, 7]
    assert row.sequence == 1
    table.begin()
    first.set((2,))
    assert table.publish(6 * SECOND).values == [2, None, None]
    assert row.values == [None, 1.5, 7], "a published row never changes"


def test_a_group_takes_exactly_its_width():
    table = make_table()
    group = table.bind((VALUE, COUNT), "a")
    table.begin()
    with pytest.raises(ValueError, match="1 values for 2 columns"):
        group.set((1,))


@pytest.mark.parametrize("foreign", [True, "5", 1 + 2j])
def test_a_foreign_value_names_its_series(foreign):
    table = make_table()
    group = table.bind((VALUE,), "sda")
    table.begin()
    group.set((foreign,))
    with pytest.raises(TypeError, match="thing=sda"):
        table.publish(0)


def test_a_level_can_be_lower_than_the_metrics_own():
    table = make_table()
    table.bind((VALUE,), "veth0", level=Level.DETAILED)
    table.bind((VALUE,), "eth0")
    table.begin()
    veth, eth = table.publish(0).layout.columns
    assert (veth.level, eth.level) == (Level.DETAILED, Level.STANDARD)


def test_values_set_aside_are_detailed_unless_the_binder_says_otherwise():
    clocks = Metric(
        name="hw_clock_hertz", kind=Kind.GAUGE, unit="hertz", help="X.", source="x", labels=("gpu", "clock"),
        aside={"clock": frozenset({"video"})},
    )  # fmt: skip
    index = SeriesIndex()
    levels = [index.intern(clocks, ("video", clock)).level for clock in ("video", "sm")]
    assert levels == [Level.DETAILED, Level.STANDARD]
    assert index.intern(clocks, ("video", "video"), Level.CORE).level is Level.CORE


def test_layouts_are_shared_until_columns_change():
    table = make_table()
    table.bind((VALUE,), "a")
    rows = []
    for _ in range(3):
        table.begin()
        rows.append(table.publish(0))
    table.bind((VALUE,), "b")
    table.begin()
    rows.append(table.publish(0))
    assert rows[0].layout is rows[1].layout is rows[2].layout is not rows[3].layout


def test_expiry_is_three_intervals():
    table = make_table()
    assert table.expires_ns() == 0
    table.begin()
    table.publish(10 * SECOND)
    assert table.expires_ns() == 13 * SECOND


def test_things_that_come_and_go_keep_their_values_and_leave_no_trace():
    generator = random.Random(7)
    table = make_table()
    groups = Groups(table, lambda key: [(VALUE, (key,)), (COUNT, (key,))])
    for tick in range(500):
        now = {str(generator.randrange(60)) for _ in range(generator.randrange(40))}
        table.begin()
        for key in now:
            groups.set(key, (int(key), tick))
        groups.sweep()
        row = table.publish(tick * SECOND)
        found = {s: v for s, v in zip(row.layout.columns, row.values) if s is not None}
        assert {s.labels[0] for s in found} == now
        assert all(v == (int(s.labels[0]) if s.metric is VALUE else tick) for s, v in found.items())
    assert len(row.layout) < 2 * 60 * 2


def test_sweep_says_what_went():
    table = make_table()
    groups = Groups(table, lambda key: [(VALUE, (key,))])
    table.begin()
    groups.set("a", (1,))
    groups.set("b", (2,))
    assert groups.sweep() == []
    groups.set("b", (3,))
    assert groups.sweep() == ["a"]
