# SPDX-License-Identifier: MIT
"""What the RDMA collector does where there is RDMA.

sysfs says which devices there are and is enough for ports and counters; netlink, where the kernel has it, reads
these faster and tells objects and their holders. No capability is needed, and nothing of a device is changed.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hwinfod.collectors import _rdma_families as families
from hwinfod.collectors._rdma_devices import Inventory
from hwinfod.collectors._rdma_objects import Objects
from hwinfod.collectors._rdma_pauses import Pauses
from hwinfod.collectors._rdma_port import plan
from hwinfod.collectors._rdma_watch import PortWatch
from hwinfod.core.table import Groups
from hwinfod.errors import Absent, Gone, HwinfodError, NotProvided
from hwinfod.sources.ethtool import EthtoolSocket
from hwinfod.sources.nldev.client import Client
from hwinfod.sources.nldev.devices import parse_summary
from hwinfod.sources.nldev.enums import COMMAND
from hwinfod.sources.nldev.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hwinfod.collectors._rdma_port import Port
    from hwinfod.core.codec import Value
    from hwinfod.core.collector import Collector
    from hwinfod.core.event import EventLog
    from hwinfod.core.table import Column, Group, Table

_RES_GET = COMMAND["RES_GET"]
_ACTIVE = 4  # enums.PORT_STATES


class Reader:
    """Everything that is open for one opening of the collector. Raises Absent when the last device has left."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._host = collector.host
        self._table = collector.table
        self._owned = contextlib.ExitStack()
        with contextlib.ExitStack() as owned:  # closes what is open when the rest fails
            self._open(owned)
            self._owned = owned.pop_all()

    def _open(self, owned: contextlib.ExitStack) -> None:
        collector = self._collector
        collector.step("netlink")
        self._client = self._open_client(owned)
        self._inventory = Inventory(collector.roots, self._client, self._host)
        owned.callback(self._inventory.close)
        self._objects: Objects | None = None
        scanning = self._open_client(owned)
        if scanning is not None:
            table = collector.tables["resources"]
            self._objects = Objects(self._host, self._inventory, scanning, table, collector.skip)
            owned.callback(self._objects.close)
        ethtool = EthtoolSocket()
        owned.callback(ethtool.close)
        self.pauses = Pauses(collector.roots, ethtool, collector.tables["pauses"], collector.skip)
        self._ports: dict[str, _PortColumns] = {}
        self._suspect: set[str] = set()
        self._has_new_suspect = False
        self._counts: dict[str, dict[str, int]] = {}
        self._totals = Groups(self._table, _total_columns)
        self._device_counters = Groups(self._table, self._device_columns)
        self.follow()

    def _open_client(self, owned: contextlib.ExitStack) -> Client | None:
        """None where the kernel has no RDMA netlink: sysfs then has to do."""
        try:
            client = Client(open_transport(self._collector.roots))
        except Absent:
            return None
        owned.callback(client.close)
        return client

    def close(self) -> None:
        self._owned.close()

    def sample(self) -> None:
        if self._inventory.has_changed() or self._has_new_suspect:
            self.follow()
        suspect, self._suspect = self._suspect, set()
        now = self._host.clock.monotonic()
        for title, columns in self._ports.items():
            self._collector.step(title)
            try:
                columns.sample(now)
            except (Gone, NotProvided) as error:
                # the device may have left and come back under its name: looked at anew before this is trouble
                self._suspect.add(title)
                if title in suspect:
                    self._collector.skip(title, error)
            except HwinfodError as error:
                self._collector.skip(title, error)
        self._has_new_suspect = not self._suspect <= suspect  # who refuses for good is looked at with all others
        for name, files in self._inventory.device_counters.items():
            self._device_counters.set(name, files.read())
        self._device_counters.sweep()
        self._sample_totals()
        if self._objects is not None:
            self._collector.step("objects")
            self._objects.work()

    def scan(self) -> None:
        if self._objects is not None:
            self._objects.begin(self._counts)
            self._objects.work()
            self._objects.fill()

    def follow(self) -> None:
        """Brings ports and columns up to date with the devices that there are."""
        self._collector.step("devices")
        self._inventory.refresh(self._collector.name)
        ports = self._inventory.ports
        for title, columns in list(self._ports.items()):
            if ports.get(title) is not columns.port:
                self._ports.pop(title).release()
        for title, port in ports.items():
            if title not in self._ports:
                device = self._inventory.ids[port.device.name]
                self._ports[title] = _PortColumns(self._table, self._host.events, port, f"{device}/{port.number}")
        self.pauses.follow(ports.values())
        if self._objects is not None:
            self._objects.follow()
        for thing, error in self._inventory.errors.items():
            self._collector.skip(thing, error)
        if not self._inventory.devices:
            raise Absent("no RDMA devices")

    def _device_columns(self, name: str) -> list[Column]:
        """Counters of a whole device have no port."""
        names = self._inventory.device_counters[name].names
        return [(families.HW_COUNTER, (name, "", counter)) for counter in names]

    def _sample_totals(self) -> None:
        if self._client is None:
            return
        try:
            summaries = [parse_summary(payload) for payload in self._client.dump(_RES_GET)]
        except HwinfodError as error:
            self._collector.skip("totals", error)
            return
        self._counts = {s.device: s.counts for s in summaries if s.device in self._inventory.indexes}
        for device, counts in self._counts.items():
            for kind, count in counts.items():
                self._totals.set(f"{device}\0{kind}", (count,))
        self._totals.sweep()


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
