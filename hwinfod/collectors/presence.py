# SPDX-License-Identifier: MIT
"""Presence: which devices are here, against the inventory that a person accepted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hwinfod.core.check import Check
from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Status
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.health import State
from hwinfod.core.metric import Kind, Metric
from hwinfod.core.table import Groups
from hwinfod.errors import ParseError, ReadError
from hwinfod.settings.daemon import STATE_DIR
from hwinfod.sources.inventory import FILE, Inventory, read_inventory, read_version, write_inventory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hwinfod.core.codec import Value
    from hwinfod.core.device import Device
    from hwinfod.core.host import Host

_LABELS = ("class",)
_SOURCE = f"the devices of all collectors; {FILE} in the state directory, by `hwinfoctl inventory accept`"

# What is counted, and the collector that sees it: before it has looked, nobody knows what is missing.
CLASSES = {"gpu": "pcie", "accelerator": "pcie", "network": "pcie", "nvme": "pcie", "dimm": "edac"}
_NOT_ON_PCI = frozenset(class_ for class_, reporter in CLASSES.items() if reporter != "pcie")

EXPECTED = Metric(
    name="hw_devices_expected",
    kind=Kind.GAUGE,
    help="Devices that the accepted inventory has; absent where none was accepted.",
    source=_SOURCE,
    labels=_LABELS,
)
PRESENT = Metric(
    name="hw_devices_present",
    kind=Kind.GAUGE,
    help="Devices that are here, those given to virtual machines and sleeping ones among them.",
    source=_SOURCE,
    labels=_LABELS,
)
MISSING = Metric(
    name="hw_devices_missing",
    kind=Kind.GAUGE,
    help="Devices of the accepted inventory that are not here.",
    source=_SOURCE,
    labels=_LABELS,
)
DEVICES_MISSING = Check(
    name="devices_missing",
    metric=MISSING,
    wrong=lambda missing: missing > 0,
    severity=Severity.CRITICAL,
    text="{value:.0f} of the expected devices of class {class} are missing",
    remedy="hwinfoctl devices; hwinfoctl inventory accept, if that is how it should be",
)


def class_of(device: Device) -> str:
    """The class in which a device is counted; "" for one that is not. Virtual functions come and go, and what a
    vendor's library tells of a GPU is the PCI device once more."""
    if device.kind == "pci" and not device.facts.get("physical_function"):
        class_ = device.facts.get("class", "")
    else:
        class_ = device.kind if device.kind in _NOT_ON_PCI else ""
    return class_ if class_ in CLASSES else ""


def take_inventory(devices: Iterable[Device]) -> dict[str, tuple[str, ...]]:
    """The ids of all devices that are here, by class."""
    ids: dict[str, list[str]] = {}
    for device in devices:
        if device.status is not Status.LOST and class_of(device):
            ids.setdefault(class_of(device), []).append(device.id)
    return {class_: tuple(sorted(found)) for class_, found in ids.items()}


def accept_inventory(host: Host, directory: str) -> Inventory:
    """Makes what is here now the inventory that is expected from now on. Raises OSError."""
    accepted_seconds = host.clock.wall_ns() // 1_000_000 / 1000
    inventory = Inventory(accepted_seconds, take_inventory(host.devices.current.values()))
    write_inventory(directory, inventory)
    return inventory


class Presence(Collector):
    name = "presence"
    summary = "devices present and expected, by class"
    lane = "facts"

    def open(self) -> None:
        self.directory = self.context.settings[STATE_DIR]
        self.inventory: Inventory | None = None
        self.version: tuple[int, int] | None = None
        self.told: set[str] = set()
        self.groups = Groups(
            self.table, lambda class_: [(metric, (class_,)) for metric in (EXPECTED, PRESENT, MISSING)]
        )

    @beat(seconds=10)
    def sample(self) -> None:
        self._follow_file()
        here = take_inventory(self.host.devices.current.values())
        expected = self.inventory.devices if self.inventory else {}
        for class_, reporter in CLASSES.items():
            if class_ in here or class_ in expected:
                self.groups.set(class_, self._row(class_, here, expected, known=self._has_looked(reporter)))
        self.groups.sweep()

    def _follow_file(self) -> None:
        """Somebody may have accepted another inventory. A broken file is no inventory, and costs nothing else."""
        version = read_version(self.directory)
        if version == self.version:
            return
        self.inventory = None
        try:
            self.inventory = read_inventory(self.directory)
            self.version = version
        except (ReadError, ParseError) as error:
            self.skip(FILE, error)

    def _has_looked(self, collector: str) -> bool:
        runner = self.host.runners.get(collector)
        return runner is not None and runner.health.state is State.OK

    def _row(
        self, class_: str, here: Mapping[str, tuple[str, ...]], expected: Mapping[str, tuple[str, ...]], *, known: bool
    ) -> tuple[Value, ...]:
        present = set(here.get(class_, ())) if known else None
        wanted = set(expected[class_]) if class_ in expected else None
        missing = None if present is None or wanted is None else wanted - present
        self._tell(class_, missing or set(), wanted or set())
        return (
            None if wanted is None else len(wanted),
            None if present is None else len(present),
            None if missing is None else len(missing),
        )

    def _tell(self, class_: str, missing: set[str], wanted: set[str]) -> None:
        """Devices that were never seen since the start have nobody else to report their loss."""
        for id_ in sorted(missing - self.told - self.host.devices.current.keys()):
            accepted = self.inventory.accepted_seconds if self.inventory else 0.0
            date = time.strftime("%Y-%m-%d", time.gmtime(accepted))
            text = f"{class_} {id_}: in the inventory of {date}, and not here"
            self.host.events.add(
                EventKind.DEVICE_LOST, Severity.WARNING, text, device=id_, attributes={"class": class_}
            )
        self.told = (self.told - wanted) | missing
