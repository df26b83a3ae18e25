# SPDX-License-Identifier: MIT
"""The objects of all devices: scans, what they say by device, and the holdings that they become."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hwinfod.collectors import _rdma_families as families
from hwinfod.collectors._rdma_holders import (
    has_bound_counters,
    holder_of,
    identify,
    key_of,
    make_batch,
    read_bound_counters,
)
from hwinfod.collectors._rdma_scan import AMOUNTS, DeviceScan, Scan, list_objects
from hwinfod.collectors._rdma_traffic import Traffic
from hwinfod.collectors._rdma_watch import QpWatch
from hwinfod.core.table import Groups
from hwinfod.errors import Gone, HwinfodError, NotProvided
from hwinfod.sources.nldev.enums import QP_STATES, QP_TYPES, word

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from hwinfod.collectors._rdma_devices import Inventory
    from hwinfod.collectors._rdma_holders import Identity
    from hwinfod.core.collector import Skip
    from hwinfod.core.host import Host
    from hwinfod.core.table import Column, Table
    from hwinfod.sources.nldev.client import Client
    from hwinfod.sources.nldev.counters import BoundCounter

_STEP_CPU_SECONDS = 0.02
_STEP_SECONDS = 0.05  # a driver may ask its firmware of each queue pair, and sleep: mlx5_ib_query_qp()
_BLANK_SCANS = 3  # in a row, and what an earlier one found is old


class Objects:
    """Scans over clients of their own, so that a long list bars no counter from being read."""

    def __init__(self, host: Host, inventory: Inventory, client: Client, table: Table, skip: Skip) -> None:
        self._host = host
        self._inventory = inventory
        self._client = client
        self._skip = skip
        self._steps: Iterator[None] | None = None
        self._latest: Scan | None = None
        self._failed: dict[str, HwinfodError] = {}
        self._suspect: set[tuple[str, int, str]] = set()
        self._published: set[str] = set()
        self._blank: dict[str, int] = {}
        self._traffic: dict[str, Traffic] = {}
        self._watch = QpWatch(host.events)
        self._age = table.bind([families.SCAN_AGE])
        self._qps = Groups(table, _qp_columns)
        self._mr_bytes = Groups(table, lambda device: [(families.MR_BYTES, (device,))])

    def follow(self) -> None:
        """Withdraws the holdings of devices that are not there any more."""
        present = set(self._inventory.ids.values())
        self._withdraw(self._published - present)
        self._traffic = {id_: traffic for id_, traffic in self._traffic.items() if id_ in present}

    def close(self) -> None:
        self._withdraw(set(self._published))

    def _withdraw(self, devices: set[str]) -> None:
        for device in devices:
            self._host.holdings.withdraw(device)
        self._published -= devices

    def begin(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Starts a scan, unless one is going on. `counts` are the kernel's totals by device and kind."""
        if self._steps is None:
            devices = [DeviceScan(name, index) for name, index in self._inventory.indexes.items()]
            self._steps = self._run(Scan(self._host.clock.boottime_ns(), devices), counts)

    def work(self) -> None:
        """Goes on with the scan for at most 20 ms of CPU or 50 ms in all."""
        if self._steps is None:
            return
        clock = self._host.clock
        cpu_end, end = time.thread_time() + _STEP_CPU_SECONDS, clock.monotonic() + _STEP_SECONDS
        for _ in self._steps:
            if time.thread_time() >= cpu_end or clock.monotonic() >= end:
                return
        self._steps = None

    def _run(self, scan: Scan, counts: Mapping[str, Mapping[str, int]]) -> Iterator[None]:
        """One step a message, a process, a device that is published."""
        identities: dict[int, Identity] = {}
        for device in scan.devices:
            bound = yield from self._read_bound(scan, device)
            yield from list_objects(self._client, device, counts.get(device.name, {}))
            id_ = self._inventory.ids.get(device.name)
            if id_ is not None:
                traffic = self._traffic.setdefault(id_, Traffic())
                yield from self._count(device, bound, traffic, identities)
                is_here = self._inventory.ids.get(device.name) == id_  # still: those were steps
                if is_here and self._is_read(device, id_):
                    self._published.add(id_)
                    batch = make_batch(device, traffic.amounts, identities, id_, scan.begun_boottime_ns)
                    self._host.holdings.publish(batch)
                    if "qp" not in device.unread:
                        self._watch.see(device, id_)
            yield
        self._latest = scan
        self._judge(scan)

    def _read_bound(self, scan: Scan, device: DeviceScan) -> Generator[None, None, list[BoundCounter] | None]:
        """Counters bound to queue pairs of a device, where an administrator has turned them on; None where they could
        not be read."""
        bound: list[BoundCounter] = []
        for port in self._inventory.ports.values():
            if port.device.name != device.name:
                continue
            try:
                if has_bound_counters(self._client, port):
                    bound += yield from read_bound_counters(self._client, port)
            except HwinfodError as error:
                scan.trouble[f"{port.title} bound counters"] = error
                return None
        device.wanted_qps = frozenset(qp for counter in bound for qp in counter.qps)
        return bound

    def _count(
        self, device: DeviceScan, bound: list[BoundCounter] | None, traffic: Traffic, identities: dict[int, Identity]
    ) -> Iterator[None]:
        """Finds out which processes hold objects and counters, and adds up what those counted. Who lives keeps what
        was counted, also without a queue pair."""
        holders = {*device.amounts, *(holder_of(counter, device) for counter in bound or ())}
        tasks = {task for task, _ in holders} | {pid for pid, _, _ in traffic.amounts}
        yield from identify(self._host.roots, tasks - {0}, identities)
        if bound is not None:
            traffic.add(bound, lambda counter: key_of(holder_of(counter, device), identities))
        living = {(process, start, "") for process, start in identities.values() if start}
        traffic.keep(living | {key_of(holder, identities) for holder in holders})

    def _is_read(self, device: DeviceScan, id_: str) -> bool:
        """Whether a scan found out anything. Withdraws what an old one did when it is too old."""
        self._blank[id_] = self._blank.get(id_, 0) + 1 if device.is_blank else 0
        if self._blank[id_] == _BLANK_SCANS:
            self._withdraw({id_})
        return not device.is_blank

    def _judge(self, scan: Scan) -> None:
        """A device that leaves during a scan is asked for in vain: no trouble, unless the next scan meets it too."""
        suspect, self._suspect, self._failed = self._suspect, set(), dict(scan.trouble)
        for device in scan.devices:
            for kind, error in device.unread.items():
                key = (device.name, device.index, kind)
                if isinstance(error, (Gone, NotProvided)):
                    self._suspect.add(key)
                if key in suspect or key not in self._suspect:
                    self._failed[f"{device.name} {AMOUNTS[kind]}"] = error

    def fill(self) -> None:
        """The row of the table: the last complete scan and its age."""
        scan = self._latest
        if scan is None:
            return
        age = self._host.clock.boottime_ns() - scan.begun_boottime_ns
        self._age.set((age // 1_000_000 / 1000,))
        for device in scan.devices:
            if device.name in self._inventory.indexes and not device.is_blank:
                if "mr" not in device.unread:
                    self._mr_bytes.set(device.name, (device.totals["mr_bytes"],))
                for (type_, state), count in device.qps.items():
                    key = "\0".join((device.name, word(QP_TYPES, type_), word(QP_STATES, state)))
                    self._qps.set(key, (count,))
        self._mr_bytes.sweep()
        self._qps.sweep()
        for what, error in self._failed.items():
            self._skip(what, error)


def _qp_columns(key: str) -> list[Column]:
    device, type_, state = key.split("\0")
    return [(families.QPS, (device, type_, state))]
