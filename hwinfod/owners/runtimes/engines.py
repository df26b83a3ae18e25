# SPDX-License-Identifier: MIT
"""Containers of Docker and of Podman, by the API that both speak."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from hwinfod.core.container import Container, DeviceNode
from hwinfod.core.owner import ContainerName
from hwinfod.errors import Gone, ReadError
from hwinfod.owners.runtimes.engine_http import follow, get
from hwinfod.owners.runtimes.errors import CallFailed
from hwinfod.owners.runtimes.ledger import CREATED, EXITED, OOM, STARTED, Change
from hwinfod.owners.runtimes.runtime import RuntimeLink
from hwinfod.sources import docker_engine

if TYPE_CHECKING:
    from hwinfod.core.host import Host
    from hwinfod.sources.docker_engine import EngineContainer, EngineDetails, EngineName

_RENAMED = "renamed"
_STATES = {CREATED: "created", STARTED: "running", EXITED: "exited"}


class EngineLink(RuntimeLink):
    """One engine. Which one it is it says itself."""

    def __init__(self, host: Host, path: str) -> None:
        super().__init__(host, path)
        self._details: dict[str, tuple[str, EngineDetails]] = {}

    async def follow(self) -> None:
        if self._is_podmans():
            raise Gone(self.path, errno.ENOENT)
        self.ledger.runtime = docker_engine.parse_engine(await get(self.real_path, docker_engine.VERSION))
        async with follow(self.real_path, docker_engine.EVENTS) as events:
            await self.follow_events(events)

    def _is_podmans(self) -> bool:
        """Whether Docker's socket is Podman's by another name, as podman-docker links it: then Podman's is followed."""
        if self.path == docker_engine.PODMAN_SOCKET:
            return False
        try:
            return os.path.samefile(self.real_path, self.host.roots.root(docker_engine.PODMAN_SOCKET))
        except OSError:
            return False

    async def list_containers(self) -> list[Container]:
        listed = docker_engine.parse_containers(await get(self.real_path, docker_engine.LIST))
        found = [await self._complete(each) for each in listed]
        present = {each.container_id for each in listed}
        self._details = {id_: details for id_, details in self._details.items() if id_ in present}
        return found

    async def _complete(self, listed: EngineContainer) -> Container:
        """With what inspecting it tells; how those ended that were dead before we came is nobody's question."""
        container = self._container(listed.container_id, listed.name)
        container = replace(container, state=listed.state, created_ns=listed.created_ns)
        if listed.state == "exited" and not self.ledger.has_list:
            return container
        details = await self._inspect(listed.container_id, listed.state)
        return container if details is None else self._with_details(container, details)

    async def _inspect(self, container_id: str, state: str) -> EngineDetails | None:
        """Asked for once a state; None where the container is gone, or does not answer: Docker keeps it locked while it
        starts, which on a busy host takes longer than we wait, and Podman answers 500 for one that is removed while it
        looks. That costs the container what it would have told."""
        known = self._details.get(container_id)
        if known is not None and known[0] == state:
            return known[1]
        try:
            body = await get(self.real_path, docker_engine.inspect_path(container_id))
        except CallFailed as error:
            if not error.is_of_what_was_asked:
                raise
            return None
        except ReadError as error:
            if error.errno != errno.ETIMEDOUT:
                raise
            return None
        details = docker_engine.parse_inspect(body)
        self._details[container_id] = (details.state, details)
        return details

    def _container(self, container_id: str, name: EngineName) -> Container:
        called = ContainerName(container_id, name.container, name.namespace, name.pod, name.pod_uid, name.image)
        return Container(called, self.ledger.runtime, is_sandbox=name.is_sandbox)

    def _with_details(self, container: Container, details: EngineDetails) -> Container:
        return replace(
            container,
            state=details.state,
            pid=details.pid or None,
            exit_code=details.exit_code if details.state == "exited" else None,
            was_out_of_memory=details.was_out_of_memory,
            device_nodes=tuple(self._nodes(details)),
            visible_devices=details.devices,
            may_open_all_devices=details.is_privileged,
        )

    def _nodes(self, details: EngineDetails) -> list[DeviceNode]:
        """The numbers of the host's nodes: the engine tells paths alone."""
        found = []
        for path, host_path in details.device_paths:
            try:
                number = os.stat(self.host.roots.root(host_path)).st_rdev
            except (OSError, ValueError):
                continue
            found.append(DeviceNode(path, os.major(number), os.minor(number)))
        return found

    async def change(self, message: bytes) -> Change | None:
        event = docker_engine.parse_event(message)
        if event is None:
            return None
        if event.kind == _RENAMED:
            await self._rename(event.container_id)
            return None
        return Change(event.container_id, event.kind, event.unix_ns, event.exit_code)

    async def explain_exit(self, change: Change) -> tuple[Change, ...]:
        """Podman tells of no kill for want of memory, Docker of some."""
        details = await self._inspect(change.container_id, "exited")
        if details is None or not details.was_out_of_memory:
            return (change,)
        return Change(change.container_id, OOM, change.unix_ns), change

    async def _rename(self, container_id: str) -> None:
        self._details.pop(container_id, None)
        details = await self._inspect(container_id, "")
        known = self.ledger.containers.get(container_id)
        if known is not None and details is not None:
            self.ledger.describe(replace(known, name=known.name._replace(container=details.name.container)))
            self.version += 1

    async def describe(self, change: Change) -> Container | None:
        state, known = _STATES.get(change.kind), self.ledger.containers.get(change.container_id)
        if state is None or (change.kind == EXITED and known is not None and known.name.container):
            return None
        details = await self._inspect(change.container_id, state)
        if details is None:
            return None
        container = self._with_details(self._container(change.container_id, details.name), details)
        known = self.ledger.containers.get(change.container_id, container)
        return replace(container, created_ns=known.created_ns)
