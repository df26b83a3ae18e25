# SPDX-License-Identifier: MIT
"""Which devices the kubelet gave to which container, by its pod-resources API: handed over as allocations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hwinfod.core import allocation
from hwinfod.core.allocation import Allocatable, Allocation, Allocations
from hwinfod.owners.runtimes.errors import UNIMPLEMENTED, CallFailed
from hwinfod.owners.runtimes.link import Link, open_channel
from hwinfod.sources import pod_resources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hwinfod.core.host import Host
    from hwinfod.owners.runtimes.grpc import Channel
    from hwinfod.sources.pod_resources import Claim, ContainerDevices, Devices

SOURCE = "pod-resources"
LIST_SECONDS = 10.0
_UUIDS = ("GPU-", "MIG-")


def allocations_of(containers: Iterable[ContainerDevices]) -> Iterator[Allocation]:
    """A resource may come in several parts, one a NUMA node: they are one allocation."""
    for given in containers:
        by_resource: dict[str, list[str]] = {}
        for devices in given.devices:
            by_resource.setdefault(devices.resource, []).extend(devices.device_ids)
        for resource, ids in by_resource.items():
            yield Allocation(given.namespace, given.pod, given.container, resource, tuple(ids), _behind(ids), SOURCE)
        yield from (_claimed(given, claim) for claim in given.claims)


def _claimed(given: ContainerDevices, claim: Claim) -> Allocation:
    ids = _named(claim) or (claim.device,)
    return Allocation(
        given.namespace, given.pod, given.container, claim.driver, ids, ids, SOURCE,
        claim=allocation.Claim(claim.claim, claim.driver, claim.pool, claim.device, claim.cdi_devices),
    )  # fmt: skip


def _named(claim: Claim) -> tuple[str, ...]:
    """The UUIDs in CDI names (nvidia.com/gpu=GPU-...); a driver's own names are made up for the claim."""
    names = (name.partition("=")[2] for name in claim.cdi_devices)
    return tuple(name for name in names if name.startswith(_UUIDS))


def allocatable_of(devices: Iterable[Devices]) -> Iterator[Allocatable]:
    """All of a resource together."""
    by_resource: dict[str, list[str]] = {}
    for part in devices:
        by_resource.setdefault(part.resource, []).extend(part.device_ids)
    for resource, ids in by_resource.items():
        yield Allocatable(resource, tuple(ids), _behind(ids))


def _behind(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(pod_resources.device_of, ids)))


class PodResourcesLink(Link):
    """The kubelet's socket. It has no events: its list is asked for again and again."""

    def __init__(self, host: Host, path: str) -> None:
        super().__init__(host, path)
        self.allocations: Allocations | None = None

    async def follow(self) -> None:
        channel = open_channel(self.real_path)
        try:
            while True:
                self.busy = True
                boottime_ns = self.host.clock.boottime_ns()
                given = pod_resources.parse_list(await channel.call(pod_resources.LIST))
                allocatable = await self._allocatable(channel)
                self.allocations = Allocations(boottime_ns, tuple(allocations_of(given)), allocatable)
                self.up()
                await asyncio.sleep(LIST_SECONDS)
        finally:
            channel.close()

    async def _allocatable(self, channel: Channel) -> tuple[Allocatable, ...]:
        """Behind a feature gate before Kubernetes 1.28."""
        try:
            reply = await channel.call(pod_resources.GET_ALLOCATABLE)
        except CallFailed as error:
            if error.status == UNIMPLEMENTED:
                return ()
            raise
        return tuple(allocatable_of(pod_resources.parse_allocatable(reply)))

    def lost(self) -> None:
        """The kubelet restarts in seconds, and its containers run on: what it said stays for a while."""
