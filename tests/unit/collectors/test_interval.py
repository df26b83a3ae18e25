# SPDX-License-Identifier: MIT
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hwinfod.collectors._interval import TimeShares


def test_first_look_says_nothing_and_the_next_says_the_part() -> None:
    shares = TimeShares()
    assert shares.update("sda", 100.0, now=10.0) is None
    assert shares.update("sda", 100.25, now=11.0) == 0.25
    assert shares.update("sda", 100.25, now=12.0) == 0.0


def test_each_key_by_itself_and_forgotten_when_gone() -> None:
    shares = TimeShares()
    shares.update("sda", 0.0, now=0.0)
    assert shares.update("sdb", 5.0, now=1.0) is None
    assert shares.update("sda", 1.0, now=2.0) == 0.5
    shares.forget("sda")
    assert shares.update("sda", 9.0, now=3.0) is None


def test_a_counter_that_fell_drops_that_interval_only() -> None:
    shares = TimeShares()
    shares.update("sda", 4294967.0, now=0.0)
    assert shares.update("sda", 0.5, now=1.0) is None
    assert shares.update("sda", 1.0, now=2.0) == 0.5


def test_no_time_passed() -> None:
    shares = TimeShares()
    shares.update("sda", 1.0, now=5.0)
    assert shares.update("sda", 2.0, now=5.0) is None


@given(st.lists(st.tuples(st.floats(0, 1e12), st.floats(0, 1e12)), min_size=2))
def test_always_a_ratio_or_nothing(readings: list[tuple[float, float]]) -> None:
    shares = TimeShares()
    for seconds, now in readings:
        share = shares.update("x", seconds, now)
        assert share is None or 0 <= share <= 1
