# SPDX-License-Identifier: MIT
"""Attribution: joins what processes hold with whose processes they are. Fed by holdings, knows no device itself.

What cannot be given to an owner is unattributed, out of the same batch and nothing else: the sum of the owners never
exceeds the device's own figure.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from hwinfod.core.collector import Collector, beat
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.owner import Attribution
from hwinfod.core.table import Groups
from hwinfod.owners import blindness, families
from hwinfod.owners.ages import Ages
from hwinfod.owners.budget import OTHER, YOUNGEST_SECONDS, Budget, add_rows
from hwinfod.owners.families import BLIND, CONFLICTS, GPU, GPU_UNATTRIBUTED, OWNERS_DROPPED, RDMA, RDMA_TRAFFIC
from hwinfod.owners.names.book import NameBook
from hwinfod.owners.process import Processes
from hwinfod.owners.roster import Roster, nodes_of
from hwinfod.owners.shares import fit
from hwinfod.owners.traffic import RdmaTraffic
from hwinfod.settings import Integer, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hwinfod.core.codec import Value
    from hwinfod.core.owner import OwnerRecord
    from hwinfod.core.table import Column
    from hwinfod.owners.budget import Labels
    from hwinfod.owners.shares import Shares

__all__ = [
    "BLIND",
    "CONFLICTS",
    "GPU",
    "GPU_UNATTRIBUTED",
    "MOST_OWNERS",
    "OWNERS_DROPPED",
    "RDMA",
    "RDMA_TRAFFIC",
    "Owners",
]

_BLINDNESS_SECONDS = 10
MOST_OWNERS = Setting(
    "collector.owners.most_owners",
    Integer(1, 10_000),
    200,
    "Owners with series of what they hold. Beyond, they are summed as `other`; all are in the API.",
)


class Owners(Collector):
    name = "owners"
    summary = "who holds GPUs and RDMA devices"
    lane = "owners"
    settings = (MOST_OWNERS,)

    def open(self) -> None:
        self.processes = Processes(self.roots)
        self.book = NameBook()
        self.ages = Ages()
        self.budget = Budget(self.context.settings[MOST_OWNERS])
        self.blindness_due = 0.0
        self.processes_hidden: tuple[str, ...] = ()
        self.blind: tuple[str, ...] = ()
        self.conflicts: frozenset[str] = frozenset()
        self.state = self.table.bind((BLIND, OWNERS_DROPPED, CONFLICTS))
        self.rows = Groups(self.table, _columns_of)
        self.traffic = RdmaTraffic(self.table)
        self.unattributed = Groups(self.table, lambda key: [(GPU_UNATTRIBUTED, tuple(key.split("\0")))])

    @beat(seconds=5)
    def sample(self) -> None:
        self._learn()
        now = self.host.clock.boottime_ns()
        roster = Roster(self.processes, self.book, self.ages)
        shares: dict[str, Shares] = {}
        for device, batch in self.host.holdings.current.items():
            shares[device] = fit(batch)
            for holding, amounts in zip(batch.holdings, shares[device].amounts, strict=True):
                roster.add(device, holding, amounts)
        nodes = nodes_of(self.host.devices.current.values())
        for user in self.host.node_use.users:
            roster.add_node_user(user, nodes)
        records = roster.records(now)
        self.ages.forget(now)
        unattributed = {id_: s.unattributed_bytes for id_, s in shares.items() if s.unattributed_bytes is not None}
        self.host.attribution = Attribution(
            now,
            MappingProxyType(records),
            MappingProxyType(unattributed),
            MappingProxyType({id_: s.overstated_bytes for id_, s in shares.items() if s.overstated_bytes}),
            tuple(roster.node_holders),
            self.blind,
        )
        self._fill([record for record in records.values() if record.holders], unattributed)

    def close(self) -> None:
        self.host.attribution = Attribution()

    def _learn(self) -> None:
        """Names come from a lane of their own (`names.collector`): a slow disk does not stall attribution."""
        names = self.host.names.current
        if self.book.learn(names):
            self._tell_conflicts()
        now = self.host.clock.monotonic()
        if now >= self.blindness_due:
            self.blindness_due = now + _BLINDNESS_SECONDS
            self.processes_hidden = blindness.reasons(self.roots)
        self.blind = (*self.processes_hidden, *(why for source in names.values() for why in source.blind))

    def _tell_conflicts(self) -> None:
        """Once a container, while its names disagree."""
        conflicts = self.book.conflicts
        for container_id, reasons in conflicts.items():
            if container_id not in self.conflicts:
                self.host.events.add(
                    EventKind.NAMES_DISAGREE,
                    Severity.WARNING,
                    "sources do not agree how a container is called",
                    key=container_id,
                    attributes={"container_id": container_id, "names": "; ".join(reasons)},
                    private=frozenset({"container_id", "names"}),
                )
        self.conflicts = frozenset(conflicts)

    def _fill(self, records: Iterable[OwnerRecord], unattributed: Mapping[str, int]) -> None:
        youngest = self.host.clock.boottime_ns() - YOUNGEST_SECONDS * 1_000_000_000
        lasting = [record for record in records if record.since_boottime_ns <= youngest]
        since: dict[Labels, float] = {}
        for record in lasting:
            since[record.labels] = min(record.since_boottime_ns, since.get(record.labels, record.since_boottime_ns))
        shown = set(self.budget.choose(since))
        for key, values in self._sums(lasting, shown).items():
            self.rows.set(key, values)
        self.rows.sweep()
        self.traffic.fill(lasting, self.host.devices.current, with_counters=not self.budget.is_over)
        for device, rest in unattributed.items():
            gpu = self._gpu_labels(device)
            if gpu:
                self.unattributed.set("\0".join(gpu), (rest,))
        self.unattributed.sweep()
        conflicts = sum(len(record.conflicts) for record in records)
        self.state.set((len(self.blind), self.budget.dropped, conflicts))

    def _sums(self, records: Iterable[OwnerRecord], shown: set[Labels]) -> dict[str, list[Value]]:
        """The values of each row by the key of its columns. Owners that have the same labels (containers of a pod
        whose names are not known yet) share a row, and so do all beyond the budget."""
        sums: dict[str, list[Value]] = {}
        for record in records:
            labels = record.labels if record.labels in shown else OTHER
            for device in dict.fromkeys(holder.device for holder in record.holders):
                key, values = self._row(labels, record, device)
                sums[key] = add_rows(sums[key], values) if key in sums else values
        return sums

    def _row(self, labels: Labels, record: OwnerRecord, device: str) -> tuple[str, list[Value]]:
        """Of one owner on one device: what it is, the values of the labels; the values of the row."""
        totals = record.totals(device)
        gpu = self._gpu_labels(device)
        if gpu:
            memory, ratio = totals.get("memory_bytes"), totals.get("utilization_ratio")
            processes = sum(1 for holder in record.holders if holder.device == device and holder.pid)
            values: list[Value] = [
                None if memory is None else int(memory),
                None if ratio is None else int(ratio * 10_000 + 1e-6) / 10_000,  # cut: rounded parts exceed the whole
                processes,
            ]
            return "\0".join(("gpu", *labels, *gpu)), values
        known = self.host.devices.current.get(device)
        amounts = [totals.get(amount) for amount in families.RDMA]
        row: list[Value] = [None if amount is None else int(amount) for amount in amounts]
        return "\0".join(("rdma", *labels, known.name if known else device)), row

    def _gpu_labels(self, device: str) -> tuple[str, str] | None:
        """The index and the id of a GPU; None for any other device."""
        known = self.host.devices.current.get(device)
        if known is None or known.kind != "gpu":
            return None
        return known.facts.get("gpu", ""), device


def _columns_of(key: str) -> list[Column]:
    what, *values = key.split("\0")
    metrics = GPU if what == "gpu" else tuple(RDMA.values())
    return [(metric, tuple(values)) for metric in metrics]
