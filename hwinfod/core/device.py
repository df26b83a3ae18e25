# SPDX-License-Identifier: MIT
"""Devices: static facts of what is in the host, each under an id that no driver renumbers.

`_info` series are rendered from these records. A fact that changes raises the record's version and leaves an
event with old and new; what is gone stays listed as lost.
"""

from __future__ import annotations

import enum
import threading
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from hwinfod.core.event import EventKind, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hwinfod.core.clock import Clock
    from hwinfod.core.event import EventLog
    from hwinfod.core.metric import Metric


MOST_LOST = 256


class Status(enum.Enum):
    """Where a device is. `SUSPENDED` sleeps and is not woken; `PASSED_THROUGH` belongs to a virtual machine."""

    PRESENT = "present"
    SUSPENDED = "suspended"
    PASSED_THROUGH = "passed through"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Device:
    """One device. `id` is stable (GPU UUID, PCI address, GUID, serial), `kind` what a person calls it ("gpu",
    "disk"), `name` short and for reading. `facts` are strings by name; those that `info` (an INFO metric) has as
    labels become its series, with `id` available as a fact of that name. `missed` says that its loss is a fault
    (a GPU, a disk) and not the end of something that comes and goes (a veth pair). `private` names the facts that
    the kernel shows to root only.
    """

    id: str
    kind: str
    name: str
    facts: Mapping[str, str]
    info: Metric | None = None
    parent: str = ""
    missed: bool = False
    private: frozenset[str] = frozenset()
    status: Status = Status.PRESENT
    version: int = 1
    first_seen_wall_ns: int = 0
    status_since_wall_ns: int = 0

    def info_labels(self) -> tuple[str, ...]:
        """The label values of the info series; "" for a fact this device does not have."""
        if self.info is None:
            return ()
        return tuple(self.facts.get(name, self.id if name == "id" else "") for name in self.info.labels)


class Devices:
    """The inventory. Lanes report what they see; faces read `current`, an immutable mapping by id."""

    def __init__(self, clock: Clock, events: EventLog) -> None:
        self._clock = clock
        self._events = events
        self._lock = threading.Lock()
        self._reporters: dict[str, str] = {}
        self._known_reporters: set[str] = set()
        self.current: Mapping[str, Device] = MappingProxyType({})
        self.version = 0

    def reconcile(self, reporter: str, seen: Iterable[Device]) -> None:
        """All devices that a reporter (a collector's name) sees now. Those it saw before and not now are lost; those
        of its first look are what the host has, and no event."""
        seen_by_id = {device.id: device for device in seen}
        with self._lock:
            devices = dict(self.current)
            first_look = reporter not in self._known_reporters
            self._known_reporters.add(reporter)
            for device in seen_by_id.values():
                self._update(devices, device, silent=first_look)
                self._reporters[device.id] = reporter
            for id_, device in self.current.items():
                if self._reporters.get(id_) == reporter and id_ not in seen_by_id and device.status is not Status.LOST:
                    self._update(devices, replace(device, status=Status.LOST))
            self._publish(devices)

    def report(self, reporter: str, device: Device) -> None:
        """One device as it is now, the reporter's others untouched."""
        with self._lock:
            devices = dict(self.current)
            self._update(devices, device)
            self._reporters[device.id] = reporter
            self._publish(devices)

    def reporter(self, id_: str) -> str:
        """The collector that reports a device, "" for an unknown one."""
        return self._reporters.get(id_, "")

    def _publish(self, devices: dict[str, Device]) -> None:
        self._forget_oldest_lost(devices)
        if devices != self.current:
            self.version += 1
            self.current = MappingProxyType(devices)

    def _forget_oldest_lost(self, devices: dict[str, Device]) -> None:
        """Lost devices stay listed, but a host that makes and ends a thousand veth pairs a day keeps a bound."""
        lost = [device for device in devices.values() if device.status is Status.LOST]
        lost.sort(key=lambda device: device.status_since_wall_ns)
        for device in lost[: max(0, len(lost) - MOST_LOST)]:
            del devices[device.id]
            self._reporters.pop(device.id, None)

    def _update(self, devices: dict[str, Device], device: Device, *, silent: bool = False) -> None:
        now = self._clock.wall_ns()
        before = devices.get(device.id)
        if before is None:
            devices[device.id] = replace(device, version=1, first_seen_wall_ns=now, status_since_wall_ns=now)
            if not silent:
                self._tell(EventKind.DEVICE_ADDED, Severity.INFO, device, {})
            return
        changed = {
            name: f"{before.facts.get(name, '')} -> {device.facts.get(name, '')}"
            for name in sorted({*before.facts, *device.facts})
            if before.facts.get(name) != device.facts.get(name)
        }
        moved = before.status is not device.status
        devices[device.id] = replace(
            device,
            version=before.version + bool(changed),
            first_seen_wall_ns=before.first_seen_wall_ns,
            status_since_wall_ns=now if moved else before.status_since_wall_ns,
        )
        if changed:
            self._tell(EventKind.DEVICE_CHANGED, Severity.INFO, device, changed)
        if moved:
            self._tell_status(before, device)

    def _tell_status(self, before: Device, device: Device) -> None:
        if device.status is Status.LOST:
            severity = Severity.WARNING if device.missed else Severity.INFO
            self._tell(EventKind.DEVICE_LOST, severity, device, {"was": before.status.value})
        elif before.status is Status.LOST:
            self._tell(EventKind.DEVICE_RETURNED, Severity.INFO, device, {"now": device.status.value})
        else:
            self._tell(
                EventKind.DEVICE_CHANGED,
                Severity.INFO,
                device,
                {"status": f"{before.status.value} -> {device.status.value}"},
            )

    def _tell(self, kind: EventKind, severity: Severity, device: Device, attributes: Mapping[str, str]) -> None:
        self._events.add(
            kind, severity, f"{device.kind} {device.name}: {kind.value}", device=device.id, attributes=attributes
        )
