# SPDX-License-Identifier: MIT
"""Container life as events, with the devices that the container held or was given.

A node whose containers come and go by the thousand would push everything else out of the log of events: beyond a number
a minute they are counted, not told one by one. Those with devices have a number of their own.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from hwinfod.core.event import EventKind, Severity
from hwinfod.owners.identity import CONTAINER, POD, Owner
from hwinfod.owners.memory import Memory
from hwinfod.owners.naming import id_of
from hwinfod.owners.runtimes.ledger import CREATED, DELETED, EXITED, OOM, STARTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hwinfod.core.container import Container
    from hwinfod.core.host import Host
    from hwinfod.core.owner import Attribution
    from hwinfod.owners.runtimes.ledger import Told

TOLD_A_MINUTE = 120
_MOST_DEVICES = 16
_ENDED = (None, 0, 128 + signal.SIGTERM, 128 + signal.SIGKILL)  # by itself, or because somebody ended it
_MOST_HOLDERS = 4_096

_KINDS = {
    CREATED: EventKind.CONTAINER_CREATED,
    STARTED: EventKind.CONTAINER_STARTED,
    EXITED: EventKind.CONTAINER_EXITED,
    OOM: EventKind.CONTAINER_OOM_KILLED,
    DELETED: EventKind.CONTAINER_DELETED,
}
_TEXTS = {
    CREATED: "a container was created",
    STARTED: "a container started",
    EXITED: "a container exited",
    OOM: "a container ran out of memory, and the kernel killed a process of it",
    DELETED: "a container was deleted",
}
_PRIVATE = frozenset({"container_id", "container", "namespace", "pod", "image"})


class Teller:
    """Makes events of what ledgers tell. For one thread."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._minute = 0.0
        self._told = {True: 0, False: 0}
        self._seen: Attribution | None = None
        self._held: Memory[str, tuple[str, ...]] = Memory(_MOST_HOLDERS)

    def look(self) -> None:
        """Remembers who holds what, by each pass of attribution: a container that has exited holds nothing any more."""
        attribution = self._host.attribution
        if attribution is self._seen:
            return
        self._seen = attribution
        for record in attribution.owners.values():
            if record.holders and "container_id" in record.identity:
                self._held.put(record.id, tuple(dict.fromkeys(holder.device for holder in record.holders)))

    def tell(self, news: Iterable[Told]) -> None:
        """A pod's sandbox lives as its pod does, and is not told of."""
        for told in news:
            if not told.container.is_sandbox:
                self._tell(told.kind, told.container)

    def _tell(self, kind: str, container: Container) -> None:
        devices = list(dict.fromkeys(self._devices(container)))
        attributes = _attributes(container, devices)
        if kind == EXITED and container.exit_code is not None:
            attributes["exit_code"] = str(container.exit_code)
        key = container.id
        if not self._may_tell(has_devices=bool(devices)):
            key, attributes = "", {}
        self._host.events.add(
            _KINDS[kind],
            _severity(kind, container, devices),
            _TEXTS[kind] if key else f"{_TEXTS[kind]}, one of many within a minute",
            device=devices[0] if len(devices) == 1 and key else "",
            owner=owner_id(container) if key else "",
            key=key,
            attributes=attributes,
            private=_PRIVATE,
        )

    def _devices(self, container: Container) -> Iterator[str]:
        """What its processes held when it was looked at, and what it was given; one may come several times."""
        owner, name = owner_id(container), container.name
        yield from self._held.get(owner) or ()
        names = (name.namespace, name.pod, name.container)
        for grantee in self._host.granted.owners.values():
            if grantee.id == owner or (name.pod and grantee.labels[2:5] == names):
                yield from (grant.part or grant.device for grant in grantee.grants)
        yield from _visible(self._host, container)

    def _may_tell(self, *, has_devices: bool) -> bool:
        now = self._host.clock.monotonic()
        if now - self._minute >= 60:
            self._minute, self._told = now, {True: 0, False: 0}
        self._told[has_devices] += 1
        return self._told[has_devices] <= TOLD_A_MINUTE


def owner_id(container: Container) -> str:
    """The id that attribution gives to the container's processes."""
    name = container.name
    if name.pod_uid:
        return id_of(Owner(POD, container_id=container.id, pod_uid=name.pod_uid))
    return id_of(Owner(CONTAINER, runtime=container.runtime, container_id=container.id))


def _visible(host: Host, container: Container) -> Iterator[str]:
    """NVIDIA_VISIBLE_DEVICES: by id, by index, or all of them; a MIG instance by its own id."""
    if not container.visible_devices or container.may_open_all_devices:
        return
    wanted = set(container.visible_devices)
    for device in host.devices.current.values():
        names = {device.id, device.facts.get("gpu", ""), "all"}
        if device.kind == "gpu" and not wanted.isdisjoint(names):
            yield device.id
    yield from (word for word in container.visible_devices if word.startswith("MIG-"))


def _attributes(container: Container, devices: list[str]) -> dict[str, str]:
    name = container.name
    nodes = [] if container.may_open_all_devices else [node.path for node in container.device_nodes]
    facts = {
        "runtime": container.runtime,
        "container_id": container.id,
        "container": name.container,
        "namespace": name.namespace,
        "pod": name.pod,
        "image": name.image,
        "devices": " ".join(devices[:_MOST_DEVICES]),
        "device_nodes": " ".join(nodes[:_MOST_DEVICES]),
    }
    return {key: fact for key, fact in facts.items() if fact}


def _severity(kind: str, container: Container, devices: list[str]) -> Severity:
    """A container that fails is everyday life, one that fails on a GPU costs money."""
    failed = kind == EXITED and container.exit_code not in _ENDED
    return Severity.WARNING if kind == OOM or (failed and devices) else Severity.INFO
