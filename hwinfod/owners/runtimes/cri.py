# SPDX-License-Identifier: MIT
"""Containers by the Container Runtime Interface: all there is of CRI-O, and second names for containerd and Docker.

containerd and Docker tell more by their own API, exit codes and kills for want of memory with it, so that their life is
told there; what the CRI calls their containers is held against it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hwinfod.core.container import Container
from hwinfod.core.owner import ContainerName
from hwinfod.owners.runtimes.errors import UNIMPLEMENTED, CallFailed, Ended
from hwinfod.owners.runtimes.ledger import EXITED, OOM, Change
from hwinfod.owners.runtimes.link import open_channel
from hwinfod.owners.runtimes.runtime import LIST_SECONDS, RuntimeLink, with_spec
from hwinfod.sources import cri

if TYPE_CHECKING:
    from hwinfod.core.host import Host
    from hwinfod.owners.runtimes.grpc import Channel
    from hwinfod.sources.cri import CriContainer, CriStatus

POLL_SECONDS = 10.0  # of a runtime that has no stream of events
_TOLD_ELSEWHERE = ("containerd", "docker")
_KINDS = {"stopped": EXITED}
_OUT_OF_MEMORY = "OOMKilled"


class CriLink(RuntimeLink):
    """One CRI socket. Which runtime is behind it is asked for first."""

    def __init__(self, host: Host, path: str) -> None:
        super().__init__(host, path)
        self._sandboxes: tuple[ContainerName, ...] = ()
        self._listed: tuple[ContainerName, ...] = ()
        self._statuses: dict[str, tuple[str, CriStatus]] = {}

    @property
    def is_told_elsewhere(self) -> bool:
        return self.ledger.runtime in _TOLD_ELSEWHERE

    def containers(self) -> tuple[Container, ...]:
        return () if self.is_told_elsewhere else super().containers()

    def names(self) -> tuple[ContainerName, ...]:
        return (*self._listed, *self._sandboxes)

    async def follow(self) -> None:
        self._channel: Channel = open_channel(self.real_path)
        try:
            name = cri.parse_runtime_name(await self._channel.call(cri.VERSION, cri.encode_version()))
            self.ledger.runtime = name or "cri"
            if self.is_told_elsewhere:
                await self._follow_names()
            else:
                await self._follow_life()
        finally:
            self._channel.close()

    async def _follow_names(self) -> None:
        while True:
            self.busy = True
            await self._list_names()
            self.version += 1
            self.up()
            await asyncio.sleep(LIST_SECONDS)

    async def _follow_life(self) -> None:
        """By events; by lists where there are none. CRI-O as it comes (enable_pod_events = false) ends the stream
        without a word and without an error: server/container_events.go GetContainerEvents()."""
        seen = self.events_seen
        try:
            async with self._channel.stream(cri.GET_CONTAINER_EVENTS) as events:
                await self.follow_events(events)
        except Ended:
            if self.events_seen != seen:
                raise
        except CallFailed as error:
            if error.status != UNIMPLEMENTED:
                raise
        while True:
            await self.resync()
            await asyncio.sleep(POLL_SECONDS)

    async def _list_names(self) -> list[CriContainer]:
        sandboxes = cri.parse_list_pod_sandbox(await self._channel.call(cri.LIST_POD_SANDBOX))
        listed = cri.parse_list_containers(await self._channel.call(cri.LIST_CONTAINERS))
        self._sandboxes = tuple(ContainerName(each.sandbox_id, "", *each[1:]) for each in sandboxes)
        self._listed = tuple(
            ContainerName(each.container_id, each.container, each.namespace, each.pod, each.pod_uid) for each in listed
        )
        return listed

    async def list_containers(self) -> list[Container]:
        listed = await self._list_names()
        found = [self._container(each, await self._status_of(each)) for each in listed]
        present = {each.container_id for each in listed}
        self._statuses = {id_: status for id_, status in self._statuses.items() if id_ in present}
        return found

    async def _status_of(self, listed: CriContainer) -> CriStatus | None:
        """How those ended that were dead before we came is nobody's question."""
        if listed.state == "exited" and not self.ledger.has_list:
            return None
        return await self._status(listed.container_id, listed.state)

    async def _status(self, container_id: str, state: str) -> CriStatus | None:
        """Asked for once a state; None where the container is gone, or the runtime cannot say."""
        known = self._statuses.get(container_id)
        if known is not None and known[0] == state:
            return known[1]
        try:
            request = cri.encode_container_status(container_id, verbose=True)
            status = cri.parse_container_status(await self._channel.call(cri.CONTAINER_STATUS, request))
        except CallFailed as error:
            if not error.is_of_what_was_asked:
                raise
            return None
        self._statuses[container_id] = (status.state, status)
        return status

    def _container(self, listed: CriContainer, status: CriStatus | None) -> Container:
        name = ContainerName(
            listed.container_id, listed.container, listed.namespace, listed.pod, listed.pod_uid, listed.image
        )
        if status is None:
            return Container(name, self.ledger.runtime, listed.state, created_ns=listed.created_ns)
        is_over = status.state == "exited"
        container = Container(
            name._replace(image=status.image or listed.image),
            self.ledger.runtime,
            status.state,
            pid=status.pid if status.state == "running" else None,
            exit_code=status.exit_code if is_over else None,
            created_ns=listed.created_ns,
            changed_ns=status.finished_ns if is_over else status.started_ns,
            was_out_of_memory=is_over and status.reason == _OUT_OF_MEMORY,
        )
        return with_spec(container, status.spec)

    async def change(self, message: bytes) -> Change | None:
        event = cri.parse_event(message)
        if event.is_sandbox:
            return None
        return Change(event.container_id, _KINDS.get(event.kind, event.kind), event.created_ns)

    async def explain_exit(self, change: Change) -> tuple[Change, ...]:
        status = await self._status(change.container_id, "exited")
        if status is None:
            return (change,)
        change = change._replace(exit_code=status.exit_code)
        killed = Change(change.container_id, OOM, change.unix_ns)
        return (killed, change) if status.reason == _OUT_OF_MEMORY else (change,)

    async def describe(self, change: Change) -> Container | None:
        known = self.ledger.containers.get(change.container_id)
        if known is None:
            return None
        status = await self._status(change.container_id, known.state)
        if status is None:
            return None
        name = await self._name(change.container_id)
        listed = cri.CriContainer(
            change.container_id, "", name.container, 0, status.image, status.state, known.created_ns,
            name.namespace, name.pod, name.pod_uid,
        )  # fmt: skip
        return self._container(listed, status)

    async def _name(self, container_id: str) -> ContainerName:
        """A list is asked for where a name is not known yet."""
        for attempt in range(2):
            for name in self._listed:
                if name.container_id == container_id:
                    return name
            if not attempt:
                await self._list_names()
        return ContainerName(container_id, "")
