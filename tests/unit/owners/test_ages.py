# SPDX-License-Identifier: MIT
from __future__ import annotations

from hwinfod.owners.ages import Ages


def test_the_longest_unseen_goes_first_where_there_are_too_many() -> None:
    ages = Ages(2)
    for owner in "abac":
        ages.since(owner, 1, 10)
    ages.forget(10)
    assert [ages.since(owner, 2, 10) for owner in "abc"] == [1, 2, 1]


def test_an_older_process_that_is_seen_later_counts() -> None:
    ages = Ages()
    assert [ages.since("a", start, 10) for start in (5, 3, 4)] == [5, 3, 3]
