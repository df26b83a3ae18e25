# SPDX-License-Identifier: MIT
"""The collectors of runtimes: links on the lane's own loop, and what they learn handed over as snapshots.

This module is imported by every daemon. What follows a socket, and asyncio with it, is imported where a socket is.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from hwinfod.core.allocation import Allocations
from hwinfod.core.collector import Collector, beat
from hwinfod.core.owner import Names
from hwinfod.core.table import Groups
from hwinfod.errors import Absent
from hwinfod.owners.cgroup import resolve_path
from hwinfod.owners.runtimes.families import FAMILIES
from hwinfod.sources import containerd, cri, docker_engine, pod_resources

if TYPE_CHECKING:
    from hwinfod.owners.runtimes.runtime import RuntimeLink

_LONGEST_RESTART_SECONDS = 300.0


class RuntimeCollector(Collector):
    """Follows the runtimes at `sockets`: those that are there, and those that come. Of `told_elsewhere` another
    collector says that they may not be opened."""

    sockets: ClassVar[tuple[str, ...]]
    told_elsewhere: ClassVar[tuple[str, ...]] = ()

    def link(self, path: str) -> RuntimeLink:
        """What follows one socket."""
        raise NotImplementedError

    def open(self) -> None:
        if not any(os.path.lexists(self.roots.root(path)) for path in self.sockets):
            raise Absent(f"no socket: {', '.join(self.sockets)}")
        self.links = {path: self.link(path) for path in self.sockets}
        self.last_there = self.host.clock.monotonic()
        self.rows = Groups(self.table, lambda path: [(metric, (self.name, path)) for metric in FAMILIES])
        from hwinfod.owners.runtimes.loop import LaneLoop

        self.loop = LaneLoop(list(self.links.values()))
        self.published: tuple[object, ...] = ()

    def close(self) -> None:
        self.loop.close()
        self.host.names.withdraw(self.name)
        self.host.containers.withdraw(self.name)

    @beat(seconds=1)
    def sample(self) -> None:
        """Serves the sockets for a moment, and hands over what is new. Raises Absent where no socket has been for
        longer than a runtime takes to restart."""
        self.step("serve the runtimes' sockets")
        for link in self.links.values():
            link.teller.look()
        self.loop.turn()
        self._explain_deaths()
        now = self.host.clock.monotonic()
        for path, link in self.links.items():
            if link.is_absent:
                continue
            self.last_there = now
            if link.problem is not None and not link.is_denied:
                self.skip(path, link.problem)
            self.rows.set(path, (int(link.is_up), len(link.ledger.containers), link.events_seen, link.times_lost))
        self.rows.sweep()
        if now - self.last_there > _LONGEST_RESTART_SECONDS:
            raise Absent(f"no socket any more: {', '.join(self.sockets)}")
        self._publish()

    def _explain_deaths(self) -> None:
        """Containers that ran out of memory without their runtime noticing. Asked again each time: the kill may be
        read of before the exit is heard of."""
        for kill in self.host.kills.current:
            container_id = resolve_path(kill.cgroup).container_id
            if container_id is None:
                continue
            for link in self.links.values():
                link.teller.tell(link.ledger.explain(container_id, kill.unix_ns))

    def _publish(self) -> None:
        """Snapshots are made anew only where something happened."""
        unseen = "names and events of its containers may be missing"
        own = (link for path, link in self.links.items() if path not in self.told_elsewhere)
        blind = tuple(why for link in own for why in link.blind(unseen))
        state = (blind, *(link.version for link in self.links.values()))
        if state == self.published:
            return
        self.published = state
        containers = tuple(each for link in self.links.values() for each in link.containers())
        self.host.containers.publish(self.name, containers)
        names = tuple(name for link in self.links.values() for name in link.names())
        self.host.names.publish(self.name, Names(names, (), blind))


class ContainerdContainers(RuntimeCollector):
    name = "containerd"
    summary = "names, life and devices of containers, from containerd"
    lane = "containerd"
    sockets = containerd.SOCKETS

    def link(self, path: str) -> RuntimeLink:
        from hwinfod.owners.runtimes.containerd import ContainerdLink

        return ContainerdLink(self.host, path)


class CriContainers(RuntimeCollector):
    name = "cri"
    summary = "names of pods and containers by the CRI, and the life of CRI-O's"
    lane = "cri"
    told_elsewhere = (*cri.CRI_DOCKERD_SOCKETS, *containerd.SOCKETS)
    sockets = (*cri.CRIO_SOCKETS, *told_elsewhere)

    def link(self, path: str) -> RuntimeLink:
        from hwinfod.owners.runtimes.cri import CriLink

        return CriLink(self.host, path)


class EngineContainers(RuntimeCollector):
    name = "engines"
    summary = "names, life and devices of containers, from Docker and Podman"
    lane = "engines"
    sockets = docker_engine.SOCKETS

    def link(self, path: str) -> RuntimeLink:
        from hwinfod.owners.runtimes.engines import EngineLink

        return EngineLink(self.host, path)


class PodResources(Collector):
    name = "pod_resources"
    summary = "devices that the kubelet gave to containers"
    lane = "pod_resources"
    source = "pod-resources"

    def open(self) -> None:
        path = pod_resources.SOCKET
        if not os.path.lexists(self.roots.root(path)):
            raise Absent(f"no socket: {path}")
        from hwinfod.owners.runtimes.loop import LaneLoop
        from hwinfod.owners.runtimes.pod_resources import PodResourcesLink

        self.link = PodResourcesLink(self.host, path)
        self.loop = LaneLoop([self.link])
        self.rows = Groups(self.table, lambda key: [(metric, (self.name, key)) for metric in FAMILIES])
        self.published: Allocations | None = None

    def close(self) -> None:
        self.loop.close()
        self.host.allocations.withdraw(self.source)

    @beat(seconds=5)
    def sample(self) -> None:
        self.step("serve the kubelet's socket")
        self.loop.turn()
        link = self.link
        if link.is_absent and self.published is None:
            raise Absent(f"no socket any more: {link.path}")
        if link.problem is not None and not link.is_denied:
            self.skip(link.path, link.problem)
        found = link.allocations
        blind = link.blind("devices that the kubelet gave are not known")
        if blind:
            found = Allocations(0, blind=blind)
        containers = {(each.namespace, each.pod, each.container) for each in found.allocations} if found else ()
        self.rows.set(link.path, (int(link.is_up), len(containers), 0, link.times_lost))
        self.rows.sweep()
        if found is not None and found != self.published:
            self.published = found
            self.host.allocations.publish(self.source, found)
