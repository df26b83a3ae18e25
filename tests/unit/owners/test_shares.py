# SPDX-License-Identifier: MIT
"""Whatever drivers say of processes, the owners of a device never hold more than there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.core.holding import Batch, Holding
from hwinfod.owners.shares import fit

GIB = 1 << 30


def batch(used: int | None, *amounts: dict[str, float]) -> Batch:
    totals = {} if used is None else {"memory_bytes": used}
    return Batch("GPU-1", 0, totals, tuple(Holding(n, 1, held) for n, held in enumerate(amounts, 1)))


def test_what_fits_stays_as_it_is() -> None:
    held = {"memory_bytes": GIB, "utilization_ratio": 0.5}
    shares = fit(batch(3 * GIB, held, held))
    assert shares.amounts[0] is held
    assert (shares.overstated_bytes, shares.unattributed_bytes) == (0, GIB)


def test_memory_that_is_told_twice_is_divided_and_said() -> None:
    shares = fit(batch(3 * GIB, {"memory_bytes": 4 * GIB, "partition_1_memory_bytes": GIB}, {"memory_bytes": 2 * GIB}))
    assert shares.amounts == ({"memory_bytes": 2 * GIB, "partition_1_memory_bytes": GIB // 2}, {"memory_bytes": GIB})
    assert (shares.overstated_bytes, shares.unattributed_bytes) == (3 * GIB, 0)


def test_times_add_up_to_the_whole_at_most() -> None:
    shares = fit(batch(None, {"utilization_ratio": 0.9, "memory_bytes": 5}, {"utilization_ratio": 0.6}))
    assert [amounts["utilization_ratio"] for amounts in shares.amounts] == pytest.approx([0.6, 0.4])
    assert shares.amounts[0]["memory_bytes"] == 5


def test_a_device_that_does_not_tell_what_it_uses_has_nothing_left_over() -> None:
    shares = fit(batch(None, {"memory_bytes": GIB}))
    assert (shares.overstated_bytes, shares.unattributed_bytes) == (0, None)
    assert shares.amounts == ({"memory_bytes": GIB},)


def test_objects_are_not_divided() -> None:
    held = {"qps": 7, "mr_bytes": 4096, "memory_bytes": 9}
    assert fit(batch(3, held)).amounts == ({"qps": 7, "mr_bytes": 4096, "memory_bytes": 3},)


AMOUNTS = st.fixed_dictionaries(
    {}, optional={"memory_bytes": st.integers(0, 1 << 50), "utilization_ratio": st.floats(0, 1)}
)


@given(st.none() | st.integers(0, 1 << 50), st.lists(AMOUNTS, max_size=20))
def test_sums_are_never_above_the_devices_total(used: int | None, amounts: list[dict[str, float]]) -> None:
    shares = fit(batch(used, *amounts))
    held = sum(given.get("memory_bytes", 0) for given in shares.amounts)
    assert sum(given.get("utilization_ratio", 0) for given in shares.amounts) <= 1 + 1e-9
    if used is not None:
        assert held <= used
        assert shares.unattributed_bytes == max(0, used - sum(a.get("memory_bytes", 0) for a in amounts))
        assert bool(shares.overstated_bytes) == (sum(a.get("memory_bytes", 0) for a in amounts) > used)
