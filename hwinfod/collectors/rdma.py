# SPDX-License-Identifier: MIT
"""RDMA: ports, counters and links every second, who holds which objects every few seconds.

sysfs says which devices there are and is enough for ports and counters; netlink, where the kernel has it, reads
these faster and tells objects and their holders. No capability is needed, and nothing of a device is changed.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hwinfod.collectors import _rdma_families as families
from hwinfod.collectors._rdma_devices import Inventory
from hwinfod.collectors._rdma_families import CHECKS, METRICS
from hwinfod.collectors._rdma_objects import Objects
from hwinfod.collectors._rdma_pauses import Pauses
from hwinfod.collectors._rdma_port import plan
from hwinfod.collectors._rdma_watch import PortWatch
from hwinfod.core.collector import Collector, beat
from hwinfod.core.table import Groups
from hwinfod.errors import Absent, HwinfodError
from hwinfod.sources.ethtool import EthtoolSocket
from hwinfod.sources.infiniband import list_devices
from hwinfod.sources.nldev.client import Client
from hwinfod.sources.nldev.devices import parse_summary
from hwinfod.sources.nldev.enums import COMMAND
from hwinfod.sources.nldev.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hwinfod.collectors._rdma_port import Port
    from hwinfod.core.codec import Value
    from hwinfod.core.event import EventLog
    from hwinfod.core.table import Column, Group, Table

__all__ = ["CHECKS", "METRICS", "Rdma"]

_RES_GET = COMMAND["RES_GET"]
_ACTIVE = 4  # enums.PORT_STATES


class Rdma(Collector):
    name = "rdma"
    summary = "RDMA ports, counters, links, objects and who holds them"
    lane = "rdma"

    def open(self) -> None:
        if not list_devices(self.roots):
            raise Absent("no RDMA devices")
        self._owned = contextlib.ExitStack()  # what must be closed, also when opening fails half-way
        with contextlib.ExitStack() as owned:
            self._open(owned)
            self._owned = owned.pop_all()

    def _open(self, owned: contextlib.ExitStack) -> None:
        self.step("netlink")
        self.client = self._open_client(owned)
        self.inventory = Inventory(self.roots, self.client, self.host)
        owned.callback(self.inventory.close)
        self.objects: Objects | None = None
        scanning = self._open_client(owned)
        if scanning is not None:
            self.objects = Objects(self.host, self.inventory, scanning, self.tables["resources"], self.skip)
            owned.callback(self.objects.close)
        ethtool = EthtoolSocket()
        owned.callback(ethtool.close)
        self.pauses_by_port = Pauses(ethtool, self.tables["pauses"], self.skip)
        self.ports: dict[str, _PortColumns] = {}
        self.counts: dict[str, dict[str, int]] = {}
        self.totals = Groups(self.table, _total_columns)
        self._follow()

    def _open_client(self, owned: contextlib.ExitStack) -> Client | None:
        """None where the kernel has no RDMA netlink: sysfs then has to do."""
        try:
            client = Client(open_transport(self.roots))
        except Absent:
            return None
        owned.callback(client.close)
        return client

    def close(self) -> None:
        self._owned.close()

    @beat(seconds=1)
    def sample(self) -> None:
        if self.inventory.has_changed():
            self._follow()
        now = self.host.clock.monotonic()
        for title, columns in self.ports.items():
            self.step(title)
            try:
                columns.sample(now)
            except HwinfodError as error:
                self.skip(title, error)
        self._sample_totals()
        if self.objects is not None:
            self.step("objects")
            self.objects.work()

    @beat(seconds=5)
    def resources(self) -> None:
        """A scan that takes more than its share of this tick goes on in the next ones of `sample`."""
        if self.objects is not None:
            self.objects.begin(self.counts)
            self.objects.work()
            self.objects.fill()

    @beat(seconds=1)
    def pauses(self) -> None:
        """The network driver asks its firmware for these: an interval of their own, to be made longer."""
        self.pauses_by_port.sample()

    @beat(seconds=10)
    def facts(self) -> None:
        self._follow()

    def _follow(self) -> None:
        """Brings ports and columns up to date with the devices that there are. Raises Absent when none are left."""
        self.step("devices")
        self.inventory.refresh(self.name)
        ports = self.inventory.ports
        for title, columns in list(self.ports.items()):
            if ports.get(title) is not columns.port:
                self.ports.pop(title).release()
        for title, port in ports.items():
            if title not in self.ports:
                device = self.inventory.ids[port.device.name]
                self.ports[title] = _PortColumns(self.table, self.host.events, port, f"{device}/{port.number}")
        self.pauses_by_port.follow(ports.values())
        if self.objects is not None:
            self.objects.follow()
        for thing, error in self.inventory.errors.items():
            self.skip(thing, error)
        if not self.inventory.devices:
            raise Absent("no RDMA devices")

    def _sample_totals(self) -> None:
        if self.client is None:
            return
        try:
            summaries = [parse_summary(payload) for payload in self.client.dump(_RES_GET)]
        except HwinfodError as error:
            self.skip("totals", error)
            return
        self.counts = {s.device: s.counts for s in summaries if s.device in self.inventory.indexes}
        for device, counts in self.counts.items():
            for kind, count in counts.items():
                self.totals.set(f"{device}\0{kind}", (count,))
        self.totals.sweep()


def _total_columns(key: str) -> list[Column]:
    device, kind = key.split("\0")
    return [(families.RESOURCES, (device, kind))]


class _PortColumns:
    """One port in the table: what every port has, and the counters that its driver has."""

    def __init__(self, table: Table, events: EventLog, port: Port, id_: str) -> None:
        self.port = port
        self._table = table
        self._watch = PortWatch(events, id_, port.title)
        self._fixed = table.bind(families.FIXED, *port.labels)
        self._counters: Group | None = None
        self._names: tuple[str, ...] | None = None
        self._pick: Callable[[Sequence[Value]], tuple[Value, ...]] = tuple

    def sample(self, now: float) -> None:
        """What the link says is kept when the counters fail. Raises ReadError, ParseError."""
        port = self.port
        link = port.read_link()
        up = None if link.state is None else int(link.state == _ACTIVE)
        state = _known(link.state, families.STATE.states)
        physical_state = _known(link.physical_state, families.PHYSICAL_STATE.states)
        self._watch.see_link(link.state, link.losses, now)
        self._fixed.set((up, state, physical_state, link.rate_bytes, link.losses, port.saturated))
        values = port.read_counters()
        if port.names is not self._names:
            self._bind(port.names)
        if self._counters is not None:
            self._counters.set(self._pick(values))
        self._watch.see_counters(port.names, values, now)

    def _bind(self, names: tuple[str, ...]) -> None:
        if self._counters is not None:
            self._counters.release()
        columns, self._pick = plan(self.port.labels, names)
        self._counters = self._table.bind_columns(columns) if columns else None
        self._names = names

    def release(self) -> None:
        self._fixed.release()
        if self._counters is not None:
            self._counters.release()


def _known(number: int | None, states: tuple[str, ...]) -> int | None:
    """A state's number, None for one that a newer kernel made."""
    return number if number is not None and number < len(states) else None
