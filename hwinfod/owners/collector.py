# SPDX-License-Identifier: MIT
"""Attribution: joins what processes hold with whose processes they are. Fed by holdings, knows no device itself.

What cannot be given to an owner is unattributed, out of the same batch and nothing else: the sum of the owners never
exceeds the device's own figure.
"""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING

from hwinfod.core.collector import Collector, beat
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.owner import LABELS, Attribution, Holder, OwnerRecord
from hwinfod.core.table import Groups
from hwinfod.errors import HwinfodError
from hwinfod.owners import blindness
from hwinfod.owners.identity import KERNEL_THREAD, Owner
from hwinfod.owners.names.book import NameBook
from hwinfod.owners.naming import id_of, labels_of
from hwinfod.owners.process import Processes
from hwinfod.settings import Integer, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hwinfod.core.codec import Value
    from hwinfod.core.holding import Batch, Holding
    from hwinfod.core.table import Column

_SOURCE = "the holdings of the device's collector, /proc/PID/cgroup"
_GPU = (*LABELS, "gpu", "uuid")
_RDMA = (*LABELS, "device")
_YOUNGEST_SECONDS = 60  # owners that come and go within a minute have no series
_BLINDNESS_SECONDS = 10
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def _owner_gauge(name: str, help_: str, labels: tuple[str, ...], unit: str = "") -> Metric:
    return Metric(name, Kind.GAUGE, help_, _SOURCE, unit, labels)


GPU_MEMORY = _owner_gauge(
    "hw_owner_gpu_memory_usage_bytes", "GPU memory that the owner's processes hold.", _GPU, "bytes"
)
GPU_UTILIZATION = _owner_gauge(
    "hw_owner_gpu_utilization_ratio", "Part of the GPU's time in which the owner's processes ran on it.", _GPU, "ratio"
)
GPU_PROCESSES = _owner_gauge("hw_owner_gpu_processes", "Processes of the owner that have the GPU open.", _GPU)
RDMA = {
    amount: _owner_gauge(f"hw_owner_rdma_{amount}", help_, _RDMA, unit)
    for amount, help_, unit in (
        ("qps", "Queue pairs that the owner's processes hold.", ""),
        ("cqs", "Completion queues that the owner's processes hold.", ""),
        ("mrs", "Memory regions that the owner's processes have registered.", ""),
        ("cm_ids", "Connection manager ids that the owner's processes hold.", ""),
        ("mr_bytes", "Memory that the owner's processes have registered.", "bytes"),
    )
}
GPU_UNATTRIBUTED = Metric(
    name="hw_gpu_memory_unattributed_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="GPU memory in use that no process in sight holds: the driver's own, or of processes that were not seen.",
    source=_SOURCE,
    labels=("gpu", "uuid"),
)
BLIND = Metric(
    name="hwinfod_attribution_blind",
    kind=Kind.GAUGE,
    help="Reasons for which processes of this host, or names of its containers, may be there that were not seen.",
    source="/proc/self/status, /proc/self/mounts, /proc/self/ns/pid, the runtimes' bundles",
    level=Level.CORE,
)
OWNERS_DROPPED = Metric(
    name="hw_owners_dropped",
    kind=Kind.GAUGE,
    help="Owners without series because the budget of owners was spent; the API has them.",
    source="the setting collector.owners.most_owners",
)
MOST_OWNERS = Setting(
    "collector.owners.most_owners", Integer(1, 10_000), 200, "Owners that have series. All are in the API."
)

_GPU_METRICS = (GPU_MEMORY, GPU_UTILIZATION, GPU_PROCESSES)
_RDMA_METRICS = tuple(RDMA.values())


class Owners(Collector):
    name = "owners"
    summary = "who holds GPUs and RDMA devices"
    lane = "owners"
    settings = (MOST_OWNERS,)

    def open(self) -> None:
        self.processes = Processes(self.roots)
        self.book = NameBook()
        self.blindness_due = 0.0
        self.processes_hidden: tuple[str, ...] = ()
        self.blind: tuple[str, ...] = ()
        self.state = self.table.bind((BLIND, OWNERS_DROPPED))
        self.shares = Groups(self.table, _columns_of)
        self.unattributed = Groups(self.table, lambda key: [(GPU_UNATTRIBUTED, tuple(key.split("\0")))])

    @beat(seconds=5)
    def sample(self) -> None:
        self._learn()
        batches = self.host.holdings.current
        holders: dict[Owner, list[Holder]] = {}
        for batch in batches.values():
            for holding in batch.holdings:
                owner, holder = self._look(batch.device, holding)
                holders.setdefault(owner, []).append(holder)
        records = {record.id: record for record in map(self._record, holders, holders.values())}
        unattributed = {batch.device: rest for batch in batches.values() if (rest := _rest(batch)) is not None}
        self.host.attribution = Attribution(
            self.host.clock.boottime_ns(), MappingProxyType(records), MappingProxyType(unattributed), self.blind
        )
        self._fill(records.values(), unattributed)

    def close(self) -> None:
        self.host.attribution = Attribution()

    def _learn(self) -> None:
        """Names come from a lane of their own (`names.collector`): a slow disk does not stall attribution."""
        names = self.host.names.current
        self.book.learn(names)
        now = self.host.clock.monotonic()
        if now >= self.blindness_due:
            self.blindness_due = now + _BLINDNESS_SECONDS
            self.processes_hidden = blindness.reasons(self.roots)
        self.blind = (*self.processes_hidden, *(why for source in names.values() for why in source.blind))

    def _look(self, device: str, holding: Holding) -> tuple[Owner, Holder]:
        """Whose a holding is. A process that is gone and was never seen belongs to nobody in sight."""
        pid, start, amounts = holding.pid, holding.start_time_ticks, holding.amounts
        if not pid:
            return KERNEL_THREAD, Holder(device, 0, 0, holding.kernel, 0, amounts)
        try:
            process = self.processes.look(pid, start)
        except HwinfodError:
            return Owner(), Holder(device, pid, start, "", -1, amounts)
        return process.owner, Holder(device, pid, process.start_time_ticks, process.name, process.uid, amounts)

    def _record(self, owner: Owner, holders: Iterable[Holder]) -> OwnerRecord:
        held = tuple(holders)
        uids = {holder.uid for holder in held}
        started = min(holder.start_time_ticks for holder in held)
        labels = labels_of(owner, self.book.name_of(owner))
        known = zip(owner._fields[1:9], owner[1:9], strict=True)
        return OwnerRecord(
            id=id_of(owner),
            label=labels[0],
            labels=labels,
            identity={name: value for name, value in known if value is not None},
            uid=uids.pop() if len(uids) == 1 else -1,
            since_boottime_ns=started * 1_000_000_000 // _TICKS_A_SECOND,
            holders=held,
        )

    def _fill(self, records: Iterable[OwnerRecord], unattributed: Mapping[str, float]) -> None:
        oldest_first = sorted(records, key=lambda record: (record.since_boottime_ns, record.id))
        youngest = self.host.clock.boottime_ns() - _YOUNGEST_SECONDS * 1_000_000_000
        lasting = [record for record in oldest_first if record.since_boottime_ns <= youngest]
        most = self.context.settings[MOST_OWNERS]
        for record in lasting[:most]:
            for device in dict.fromkeys(holder.device for holder in record.holders):
                key, values = self._share(record, device)
                if key:
                    self.shares.set(key, values)
        self.shares.sweep()
        for device, rest in unattributed.items():
            gpu = self._gpu_labels(device)
            if gpu:
                self.unattributed.set("\0".join(gpu), (int(rest),))
        self.unattributed.sweep()
        self.state.set((len(self.blind), max(0, len(lasting) - most)))

    def _share(self, record: OwnerRecord, device: str) -> tuple[str, list[Value]]:
        """The key of the columns (what they are, the label values) and the values of one owner on one device."""
        totals = record.totals(device)
        gpu = self._gpu_labels(device)
        if gpu:
            memory, ratio = totals.get("memory_bytes"), totals.get("utilization_ratio")
            processes = sum(holder.device == device for holder in record.holders)
            values: list[Value] = [
                None if memory is None else int(memory),
                None if ratio is None else round(min(ratio, 1.0), 4),
                processes,
            ]
            return "\0".join(("gpu", *record.labels, *gpu)), values
        known = self.host.devices.current.get(device)
        name = known.name if known else device
        amounts = [totals.get(amount) for amount in RDMA]
        return "\0".join(("rdma", *record.labels, name)), [None if v is None else int(v) for v in amounts]

    def _gpu_labels(self, device: str) -> tuple[str, str] | None:
        """The index and the id of a GPU; None for any other device."""
        known = self.host.devices.current.get(device)
        if known is None or known.kind != "gpu":
            return None
        return known.facts.get("gpu", ""), device


def _columns_of(key: str) -> list[Column]:
    what, *values = key.split("\0")
    metrics = _GPU_METRICS if what == "gpu" else _RDMA_METRICS
    return [(metric, tuple(values)) for metric in metrics]


def _rest(batch: Batch) -> float | None:
    """What the device uses and its holdings do not say; None where the device does not say what it uses."""
    used = batch.totals.get("memory_bytes")
    if used is None:
        return None
    return max(0.0, used - sum(holding.amounts.get("memory_bytes", 0) for holding in batch.holdings))
