# SPDX-License-Identifier: MIT
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hwinfod.owners.memory import Memory


def test_the_longest_unused_goes_first() -> None:
    memory: Memory[str, int] = Memory(2)
    memory.put("a", 1)
    memory.put("b", 2)
    assert memory.get("a") == 1  # used: now b is the oldest
    memory.put("c", 3)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (1, None, 3)
    memory.put("a", 4)
    memory.put("d", 5)
    assert (memory.get("a"), memory.get("c"), memory.get("d")) == (4, None, 5)


@given(st.lists(st.integers(0, 20)), st.integers(1, 5))
def test_bounded(keys: list[int], limit: int) -> None:
    memory: Memory[int, int] = Memory(limit)
    for key in keys:
        memory.put(key, key)
        assert memory.get(key) == key
        assert len(memory) <= limit
