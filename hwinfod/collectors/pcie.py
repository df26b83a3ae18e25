# SPDX-License-Identifier: MIT
"""PCI devices that compute, connect or store: links, errors, drivers, and who they were given to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._pci_status import read_status
from hwinfod.collectors._pcie_families import AER_ERRORS, ERRORS, INFO, LINK, LINK_DEGRADED, OF_DRIVES
from hwinfod.collectors._pcie_link import LinkWatch
from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device, Status
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.metric import Level
from hwinfod.core.table import Groups
from hwinfod.errors import Absent, ParseError
from hwinfod.sources.dmi import read_dmi
from hwinfod.sources.pci import list_pci, read_driver, read_pci, read_slots
from hwinfod.sources.pci_aer import SEVERITIES, read_aer
from hwinfod.sources.pci_distance import read_place
from hwinfod.sources.pci_link import Link
from hwinfod.sources.virtualization import read_virtualization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.codec import Value
    from hwinfod.core.table import Column
    from hwinfod.sources.pci import PciDevice
    from hwinfod.sources.pci_aer import AerErrors

__all__ = ["AER_ERRORS", "ERRORS", "INFO", "LINK", "LINK_DEGRADED", "Pcie"]

_GIGA = 1_000_000_000
_NOT_READ = Link(None, None)
_EVENT_SEVERITIES = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)  # in the order of SEVERITIES


class Pcie(Collector):
    name = "pcie"
    summary = "PCI devices: links, errors, drivers, devices given to virtual machines"
    lane = "facts"

    def open(self) -> None:
        if not list_pci(self.roots):
            raise Absent("no PCI device in /sys/bus/pci/devices")
        # A hypervisor shows its guests any link it likes.
        self.judges_links = not read_virtualization(self.roots, read_dmi(self.roots)).is_virtual_machine
        self.inodes: dict[str, int] = {}
        self.functions: dict[str, PciDevice] = {}
        self.paths: dict[str, str] = {}
        self.watches: dict[str, LinkWatch] = {}
        self.errors: dict[str, list[AerErrors]] = {}
        self.links = Groups(self.table, lambda address: [(metric, self._labels(address)) for metric in LINK])
        self.counters = Groups(self.table, _error_columns, self._level_of_errors)

    @beat(seconds=10)
    def sample(self) -> None:
        self._follow()
        devices = []
        for address, function in self.functions.items():
            self.step(f"look at {address}")
            driver = read_driver(function.directory)
            status = read_status(function.directory, driver)
            devices.append(_device(function, self.paths[address], driver, status))
            if function.physical_function:
                continue  # a virtual function hangs on the link of its physical one, which reports its errors too
            self._look_at_link(function, status)
            self._look_at_errors(function)
        self.links.sweep()
        self.counters.sweep()
        self.host.devices.reconcile(self.name, devices)

    def _follow(self) -> None:
        """Learns which functions came and which left; an address may hold another card than ten seconds ago."""
        inodes = list_pci(self.roots)
        if inodes == self.inodes:
            return
        slots = read_slots(self.roots)
        for address in {*inodes, *self.inodes}:
            if inodes.get(address) == self.inodes.get(address):
                continue
            for known in (self.functions, self.paths, self.watches, self.errors):
                known.pop(address, None)
            function = read_pci(self.roots, address, slots) if address in inodes else None
            if function is not None and function.kind:
                self.functions[address] = function
                self.paths[address] = " ".join(read_place(function.directory).ancestors)
                self.watches[address] = LinkWatch(self.host, function)
        self.functions = dict(sorted(self.functions.items()))
        self.inodes = inodes

    def _look_at_link(self, function: PciDevice, status: Status) -> None:
        """Reading a sleeping device's registers would wake it; one given away is not ours to judge."""
        watch = self.watches[function.address]
        was_degraded, verdict, link = watch.is_degraded, None, _NOT_READ
        if status is Status.PRESENT:
            verdict, link = watch.look(), watch.link
        if watch.limit.width is None:
            return
        judged = None if verdict is None or not self.judges_links else int(verdict)
        self.links.set(function.address, (judged, *_link_row(link), *_link_row(watch.limit)))
        if watch.is_degraded != was_degraded and self.judges_links:
            self._tell_link(function, watch)

    def _look_at_errors(self, function: PciDevice) -> None:
        try:
            now = read_aer(function.directory)
        except ParseError as error:
            self.skip(f"{function.address} errors", error)
            return
        if now is None:
            return
        self.counters.set(function.address, [errors.total for errors in now])
        before = self.errors.get(function.address, now)
        self.errors[function.address] = now
        for severity, judged, old, new in zip(SEVERITIES, _EVENT_SEVERITIES, before, now):
            if new.total > old.total:
                self._tell_errors(function, severity, judged, old, new)

    def _tell_link(self, function: PciDevice, watch: LinkWatch) -> None:
        now, limit = _describe(watch.link), _describe(watch.limit)
        self.host.events.add(
            EventKind.PCIE_ERROR,
            Severity.WARNING if watch.is_degraded else Severity.INFO,
            f"{function.kind} {function.address}: PCIe link runs at {now}, both ends can {limit}"
            if watch.is_degraded
            else f"{function.kind} {function.address}: PCIe link runs at {now} again",
            device=function.address,
            key="degraded" if watch.is_degraded else "whole",
            attributes={"link": now, "limit": limit},
        )

    def _tell_errors(
        self, function: PciDevice, severity: str, judged: Severity, old: AerErrors, new: AerErrors
    ) -> None:
        rise = {name: count - old.by_name.get(name, 0) for name, count in new.by_name.items()}
        self.host.events.add_amounts(
            EventKind.PCIE_ERROR,
            judged,
            {"errors": new.total - old.total, **{name: count for name, count in rise.items() if count > 0}},
            lambda amounts: f"{function.kind} {function.address}: {_describe_errors(severity, amounts)}",
            device=function.address,
            key=severity,
            attributes={"severity": severity},
        )

    def _level_of_errors(self, address: str) -> Level | None:
        return Level.DETAILED if self.functions[address].kind in OF_DRIVES else None

    def _labels(self, address: str) -> tuple[str, str]:
        return address, self.functions[address].kind


def _error_columns(address: str) -> list[Column]:
    return [(AER_ERRORS, (address, severity)) for severity in SEVERITIES]


def _describe_errors(severity: str, amounts: Mapping[str, int]) -> str:
    """As "3 correctable PCIe errors: RxErr, BadTLP"."""
    total, names = amounts["errors"], [name for name in amounts if name != "errors"]
    return f"{total} {severity} PCIe error{'s' if total != 1 else ''}" + (f": {', '.join(names)}" if names else "")


def _link_row(link: Link) -> tuple[Value, Value]:
    speed = link.gigatransfers_per_second
    return link.width, None if speed is None else int(speed * _GIGA)


def _describe(link: Link) -> str:
    return f"x{link.width} {link.gigatransfers_per_second} GT/s"


def _device(function: PciDevice, path: str, driver: str, status: Status) -> Device:
    return Device(
        id=function.address,
        kind="pci",
        name=f"{function.kind} {function.address}",
        facts={
            "pci": function.address,
            "class": function.kind,
            "vendor_id": f"{function.vendor_id:04x}",
            "device_id": f"{function.device_id:04x}",
            "subsystem_vendor_id": _hex(function.subsystem_vendor_id),
            "subsystem_device_id": _hex(function.subsystem_device_id),
            "revision": "" if function.revision is None else f"{function.revision:02x}",
            "driver": driver,
            "numa_node": "" if function.numa_node is None else str(function.numa_node),
            "slot": function.slot,
            "path": path,
            "physical_function": function.physical_function,
        },
        info=INFO,
        parent=function.physical_function,
        missed=not function.physical_function,
        status=status,
    )


def _hex(number: int | None) -> str:
    return "" if number is None else f"{number:04x}"
