# SPDX-License-Identifier: MIT
"""What the holdings of one device say, held against what the device says of itself. Pure.

Drivers tell of each process what it can reach: memory that two processes share is told twice, and times of work are of
another window than the device's. Added up as they are they would make a device larger than it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.holding import Batch, Holding

_MEMORY, _TIME = "memory_bytes", "utilization_ratio"


class Shares(NamedTuple):
    """`amounts` of each holding of the batch in its order, fitted. `overstated_bytes` is what the holdings say beyond
    what the device has in use, `unattributed_bytes` what it uses and no holding says; None where it does not say."""

    amounts: tuple[Mapping[str, float], ...]
    overstated_bytes: int
    unattributed_bytes: int | None


def fit(batch: Batch) -> Shares:
    """Memory that is told more than once is divided among those who tell of it, in proportion; parts of the device's
    time add up to the whole of it at most. Objects are counted once by the kernel, and stay as they are."""
    told = sum(holding.amounts.get(_MEMORY, 0) for holding in batch.holdings)
    used = batch.totals.get(_MEMORY)
    ratio = sum(holding.amounts.get(_TIME, 0.0) for holding in batch.holdings)
    memory = used / told if used is not None and told > used else 1.0
    time = 1.0 / ratio if ratio > 1.0 else 1.0
    return Shares(
        tuple(_fitted(holding, memory, time) for holding in batch.holdings),
        0 if used is None else max(0, int(told - used)),
        None if used is None else max(0, int(used - told)),
    )


def _fitted(holding: Holding, memory: float, time: float) -> Mapping[str, float]:
    if memory == time == 1.0:
        return holding.amounts
    return {name: _scaled(name, amount, memory, time) for name, amount in holding.amounts.items()}


def _scaled(name: str, amount: float, memory: float, time: float) -> float:
    if name == _TIME:
        return amount * time
    return int(amount * memory) if name.endswith(_MEMORY) else amount
