# SPDX-License-Identifier: MIT
"""Which owners have series of their own, and what the others add up to."""

from __future__ import annotations

from hwinfod.owners.budget import Budget, add_rows


def test_beyond_the_budget_the_oldest_are_kept_and_there_are_no_counters() -> None:
    budget = Budget(10)
    owners = {(f"o{n}",): float(-n) for n in range(12)}
    assert budget.choose(owners) == [(f"o{n}",) for n in range(11, 1, -1)]
    assert (budget.is_over, budget.dropped) == (True, 2)


def test_counters_come_back_when_a_tenth_is_free() -> None:
    budget = Budget(10)
    seen = []
    for count in (10, 11, 10, 9, 10):
        budget.choose({(f"o{n}",): 0.0 for n in range(count)})
        seen.append(budget.is_over)
    assert seen == [False, True, True, False, False]


def test_rows_add_up_where_there_is_something() -> None:
    assert add_rows([2, None, None], [3, 4, None]) == [5, 4, None]
