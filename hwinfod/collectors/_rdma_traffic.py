# SPDX-License-Identifier: MIT
"""What counters that an administrator bound to queue pairs have counted, by holder, so that it never falls.

The kernel frees a counter with the last of its queue pairs, and a process that connects anew begins with a new one,
perhaps of the same number: drivers number them as their firmware does.
Source: drivers/infiniband/core/counters.c, rdma_counter_free(); drivers/infiniband/hw/mlx5/counters.c.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from hwinfod.sources.nldev.counters import BoundCounter

# Traffic under one name, whatever the driver calls it. Linux 6.15 and mlx5 count it for queue pairs too.
_NAMES = {
    "rdma_rx_bytes": "receive_bytes",
    "rx_bytes": "receive_bytes",
    "rdma_tx_bytes": "transmit_bytes",
    "tx_bytes": "transmit_bytes",
    "rdma_rx_packets": "receive_packets",
    "rx_pkts": "receive_packets",
    "rdma_tx_packets": "transmit_packets",
    "tx_pkts": "transmit_packets",
}

Key = tuple[int, int, str]  # process, its start time and "", or 0, 0 and the kernel user's name


class _Reading(NamedTuple):
    key: Key
    values: Mapping[str, int]


class Traffic:
    """Of one device. `amounts` are by holder and name, from when its counters were bound."""

    def __init__(self) -> None:
        self.amounts: dict[Key, Counter[str]] = {}
        self._last: dict[tuple[int, int, int], _Reading] = {}

    def add(self, counters: Iterable[BoundCounter], key_of: Callable[[BoundCounter], Key | None]) -> None:
        """All bound counters of the device as they are now. One whose holder is not known at the moment stands still
        until it is known again."""
        last, self._last = self._last, {}
        for counter in counters:
            place = (counter.device_index, counter.port, counter.counter)
            key, known = key_of(counter), last.get(place)
            if key is not None:
                before = known.values if known is not None and known.key == key else {}
                self._take(key, counter.values, before)
                self._last[place] = _Reading(key, counter.values)
            elif known is not None:
                self._last[place] = known

    def _take(self, key: Key, values: Mapping[str, int], before: Mapping[str, int]) -> None:
        amounts = self.amounts.setdefault(key, Counter())
        for name, value in values.items():
            counted = before.get(name, 0)
            amounts[_NAMES.get(name, f"counter_{name}")] += value - counted if value >= counted else value

    def keep(self, living: Collection[Key | None]) -> None:
        """Forgets who is not among the living."""
        self.amounts = {key: amounts for key, amounts in self.amounts.items() if key in living}
