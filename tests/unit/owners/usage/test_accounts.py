# SPDX-License-Identifier: MIT
"""Sums never fall, whatever comes and goes below them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hwinfod.owners.usage.accounts import Accounts, Sums

POD = ("pod",)


def test_a_container_that_is_started_anew_goes_on_counting() -> None:
    accounts = Accounts()
    accounts.update([(POD, "first", (100,), (7,)), (POD, "pause", (1,), (1,))])
    sums = accounts.update([(POD, "second", (5,), (3,)), (POD, "pause", (1,), (1,))])
    assert sums[POD] == Sums([106], [4])


def test_a_counter_that_starts_anew_adds_what_it_counts() -> None:
    accounts = Accounts()
    accounts.update([(POD, "a", (100,), ())])
    assert accounts.update([(POD, "a", (30,), ())])[POD].counters == [130]


def test_what_nobody_tells_is_absent_and_one_that_tells_is_enough() -> None:
    sums = Accounts().update([(POD, "a", (None, None), (None,)), (POD, "b", (4, None), (2,))])
    assert sums[POD] == Sums([4, None], [2])


def test_an_owner_that_is_gone_is_forgotten() -> None:
    accounts = Accounts()
    accounts.update([(POD, "a", (100,), ())])
    assert accounts.update([]) == {}
    assert accounts.update([(POD, "a", (1,), ())])[POD].counters == [1]


@given(st.lists(st.dictionaries(st.integers(0, 3), st.integers(0, 9), max_size=4), max_size=12))
def test_sums_never_fall_while_the_owner_lives(passes: list[dict[int, int]]) -> None:
    accounts = Accounts()
    before = 0
    for members in passes:
        sums = accounts.update([(POD, member, (count,), ()) for member, count in members.items()])
        total = sums[POD].counters[0] if sums else 0
        assert total is not None
        assert not members or total >= max(before, *members.values())
        before = total
