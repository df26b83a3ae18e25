# SPDX-License-Identifier: MIT
"""What owners sent and received over RDMA devices, where an administrator bound counters to their queue pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.table import Groups
from hwinfod.owners.families import RDMA_TRAFFIC
from hwinfod.owners.usage.accounts import Accounts

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from hwinfod.core.device import Device
    from hwinfod.core.owner import OwnerRecord
    from hwinfod.core.table import Column, Table
    from hwinfod.owners.budget import Labels
    from hwinfod.owners.usage.accounts import Figures


class RdmaTraffic:
    """Counters of owners: a process that ends has sent what it sent."""

    def __init__(self, table: Table) -> None:
        self._accounts = Accounts()
        self._rows = Groups(table, _columns)

    def fill(self, records: Iterable[OwnerRecord], devices: Mapping[str, Device], *, with_counters: bool) -> None:
        """Counts what `records` hold now, and shows it unless there are too many owners."""
        for labels, sums in self._accounts.update(_readings(records, devices)).items():
            if with_counters:
                self._rows.set("\0".join(labels), sums.counters)
        self._rows.sweep()


def _readings(
    records: Iterable[OwnerRecord], devices: Mapping[str, Device]
) -> Iterator[tuple[Labels, Hashable, Figures, Figures]]:
    for record in records:
        for holder in record.holders:
            counters = tuple(_whole(holder.amounts.get(amount)) for amount in RDMA_TRAFFIC)
            if any(counter is not None for counter in counters):
                device = devices.get(holder.device)
                member = (holder.device, holder.pid, holder.start_time_ticks, "" if holder.pid else holder.name)
                yield (*record.labels, device.name if device else holder.device), member, counters, ()


def _whole(amount: float | None) -> int | None:
    return None if amount is None else int(amount)


def _columns(key: str) -> list[Column]:
    labels = tuple(key.split("\0"))
    return [(metric, labels) for metric in RDMA_TRAFFIC.values()]
