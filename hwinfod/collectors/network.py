# SPDX-License-Identifier: MIT
"""Network interfaces: what goes through them, and the state and facts of their links.

A lane of its own: the kernel answers under rtnl_lock, which a driver may hold for as long as its firmware hangs.
Hardware is looked at every second. What the kernel made (veth, bridges, bonds) and functions given to others are looked
at seldom and exported in detail only: a node may have hundreds of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._network_families import FACTS, FLAPPING, INFO, LINK, MTU, TRAFFIC
from hwinfod.collectors._network_link import ABSENT, LinkWatch, link_row
from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device
from hwinfod.core.metric import Level
from hwinfod.core.table import Groups
from hwinfod.errors import Absent, Gone, ParseError, ReadError
from hwinfod.sources.interface_counters import open_counters
from hwinfod.sources.net_interface import LinkFacts, read_interface, read_link, read_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hwinfod.core.codec import Value
    from hwinfod.core.metric import Metric
    from hwinfod.core.table import Column
    from hwinfod.sources.net_interface import Interface
    from hwinfod.sources.proc_net_dev import InterfaceCounters

__all__ = ["FACTS", "FLAPPING", "INFO", "LINK", "TRAFFIC", "Network"]

# What is configured on this host by a person is a device; what container runtimes make by the hundred is not.
_LISTED = frozenset({"physical", "bond"})


class Network(Collector):
    name = "network"
    summary = "network interfaces: traffic, errors, link state, speed and identity"
    lane = "network"
    in_node_exporter = True

    def open(self) -> None:
        self.step("open")
        try:
            self.counters = open_counters(self.roots)
        except Gone as error:
            raise Absent(str(error)) from None
        self.interfaces: dict[str, Interface] = {}
        self.watches: dict[str, LinkWatch] = {}
        self.links: dict[str, LinkFacts] = {}
        self.physical = Groups(self.table, _columns((*TRAFFIC, *LINK)))
        self.others = Groups(self.tables["virtual"], _columns((*TRAFFIC, *LINK, MTU)), lambda _name: Level.DETAILED)
        self.facts_of = Groups(self.tables["facts"], _columns(FACTS))

    def close(self) -> None:
        self.counters.close()

    @beat(seconds=1)
    def sample(self) -> None:
        """Hardware. What has come is found by the other beats."""
        self.step("read the counters of physical interfaces")
        if not self.interfaces or not self.counters.refresh(self.watches):
            self._read()
        for name, watch in self.watches.items():
            counters = self._counters(name)
            if counters is not None:
                self.physical.set(name, (*counters, *watch.follow(counters)))
        self.physical.sweep()

    @beat(seconds=10)
    def virtual(self) -> None:
        """What is not hardware, and hardware given to others. Their facts are those of the first sight."""
        self._read()
        for name, interface in self.interfaces.items():
            counters = None if interface.is_physical else self._counters(name)
            if counters is not None:
                self.others.set(name, (*counters, *self._read_state(name), interface.mtu_bytes))
        self.others.sweep()

    @beat(seconds=10)
    def facts(self) -> None:
        """What somebody may have changed: names, speed, MTU, membership."""
        self.counters.check_names()
        self._read()
        for name, interface in self.interfaces.items():
            if interface.kind in _LISTED:
                self._look_at(name)
        self._report()
        for name in self.watches:
            self.facts_of.set(name, (self.links[name].bytes_per_second, self.interfaces[name].mtu_bytes))
        self.facts_of.sweep()

    def _read(self) -> None:
        """Reads the counters of all interfaces; learns on the way which are new and which have left."""
        self.step("read the counters of all interfaces")
        names, found = self.counters.read()
        new = [name for name in names if name in found]  # in the kernel's order: a set has another at each start
        gone = [name for name in self.interfaces if name not in names]
        for name in (*gone, *new):
            self._forget(name)
        for name in new:
            self._look_at(name)
            if self.interfaces[name].is_physical:
                self.watches[name] = LinkWatch(self.host, name, _identity(self.interfaces[name]))
        if gone or new:
            self._report()

    def _counters(self, name: str) -> InterfaceCounters | None:
        try:
            return self.counters.counters(name)
        except ParseError as error:
            self.skip(name, error)
            return None

    def _forget(self, name: str) -> None:
        self.interfaces.pop(name, None)
        self.links.pop(name, None)
        watch = self.watches.pop(name, None)
        if watch is not None:
            watch.close()

    def _look_at(self, name: str) -> None:
        self.step(f"read the facts of {name}")
        interface = read_interface(self.roots, name)
        if interface.index is None and name in self.interfaces:
            return  # it left just now, and the next read of the counters will say so
        self.interfaces[name] = interface
        if interface.kind in _LISTED:
            self.links[name] = read_link(self.roots, name)

    def _read_state(self, name: str) -> tuple[Value, ...]:
        try:
            return link_row(*read_state(self.roots, name))
        except ReadError:
            return ABSENT

    def _report(self) -> None:
        devices: dict[str, Device] = {}
        for name, link in self.links.items():
            interface = self.interfaces[name]
            identity = _identity(interface)
            if identity in devices:
                identity = f"{identity}/{name}"
            known = self.host.devices.current.get(identity)
            devices[identity] = Device(
                id=identity,
                kind="interface",
                name=name,
                facts=_facts(interface, link, known),
                info=INFO,
                parent=interface.pci_address,
                missed=interface.is_physical,
            )
        self.host.devices.reconcile(self.name, devices.values())


def _columns(metrics: Iterable[Metric]) -> Callable[[str], list[Column]]:
    return lambda name: [(metric, (name,)) for metric in metrics]


def _identity(interface: Interface) -> str:
    """By where it stands, since names are given anew at each boot; by name what stands nowhere."""
    if not interface.pci_address:
        return f"interface:{interface.name}"
    return f"interface:{interface.pci_address}" + (f"/{interface.port}" if interface.port else "")


def _facts(interface: Interface, link: LinkFacts, known: Device | None) -> dict[str, str]:
    """What was negotiated is gone while the link is down: what it was before is still what is known of it."""
    before = {} if known is None else known.facts
    speed = link.bytes_per_second
    return {
        "interface": interface.name,
        "kind": interface.kind,
        "address": interface.address,
        "driver": interface.driver,
        "pci": interface.pci_address,
        "numa_node": "" if interface.numa_node is None else str(interface.numa_node),
        "master": interface.master,
        "mtu_bytes": "" if interface.mtu_bytes is None else str(interface.mtu_bytes),
        "duplex": link.duplex or before.get("duplex", ""),
        "speed_bytes_per_second": before.get("speed_bytes_per_second", "") if speed is None else str(speed),
    }
