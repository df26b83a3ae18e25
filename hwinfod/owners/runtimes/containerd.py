# SPDX-License-Identifier: MIT
"""Containers of containerd by its own API, whoever made them: Kubernetes, nerdctl, ctr.

Docker keeps its containers there too, without their names: they are asked of Docker.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hwinfod.core.container import Container
from hwinfod.core.owner import ContainerName
from hwinfod.owners.runtimes.errors import CallFailed
from hwinfod.owners.runtimes.ledger import Change
from hwinfod.owners.runtimes.link import open_channel
from hwinfod.owners.runtimes.runtime import RuntimeLink, with_spec
from hwinfod.sources import containerd

if TYPE_CHECKING:
    from hwinfod.core.host import Host
    from hwinfod.owners.runtimes.grpc import Channel
    from hwinfod.sources.containerd import Task

_DOCKERS = "moby"
_MOST_NAMESPACES = 64
_STATES = {"created": "created", "running": "running", "paused": "running", "pausing": "running", "stopped": "exited"}


class ContainerdLink(RuntimeLink):
    """One containerd. Of two containers with one id in two namespaces the first is followed."""

    runtime = "containerd"

    def __init__(self, host: Host, path: str) -> None:
        super().__init__(host, path)
        self._namespaces: dict[str, str] = {}
        self._described: set[str] = set()

    async def follow(self) -> None:
        self._channel: Channel = open_channel(self.real_path)
        try:
            async with self._channel.stream(containerd.EVENTS_SUBSCRIBE, containerd.encode_subscribe()) as events:
                await self.follow_events(events)
        finally:
            self._channel.close()

    async def list_containers(self) -> list[Container]:
        found: dict[str, Container] = {}
        reply = await self._channel.call(containerd.NAMESPACES_LIST)
        for namespace in containerd.parse_namespaces(reply)[:_MOST_NAMESPACES]:
            if namespace == _DOCKERS:
                continue
            metadata = {containerd.NAMESPACE: namespace}
            reply = await self._channel.call(containerd.TASKS_LIST, metadata=metadata)
            tasks = {task.container_id: task for task in containerd.parse_tasks(reply)}
            async for message in self._channel.replies(containerd.CONTAINERS_STREAM, metadata=metadata):
                container_id = containerd.parse_container_id(message)
                if container_id not in found:
                    self._namespaces[container_id] = namespace
                    found[container_id] = self._with_task(self._read(container_id, message), tasks.get(container_id))
        self._described &= found.keys()
        self._namespaces = {each: self._namespaces[each] for each in found}
        return list(found.values())

    def _read(self, container_id: str, message: bytes) -> Container:
        """What it was made with does not change: a specification is read once."""
        known = self.ledger.containers.get(container_id)
        return known if known is not None and container_id in self._described else self._parse(message)

    def _parse(self, message: bytes) -> Container:
        found = containerd.parse_container(message)
        self._described.add(found.container_id)
        return container_of(found)

    def _with_task(self, container: Container, task: Task | None) -> Container:
        if task is None:
            known = self.ledger.containers.get(container.id)
            state = "exited" if known is not None and known.state in ("running", "exited") else "unknown"
            return replace(container, state=state, pid=None)
        state = _STATES.get(task.state, "unknown")
        pid = task.pid if state == "running" else None
        return replace(container, state=state, pid=pid, exit_code=task.exit_code)

    async def change(self, message: bytes) -> Change | None:
        event = containerd.parse_event(message)
        if event is None or event.namespace == _DOCKERS:
            return None
        if self._namespaces.setdefault(event.container_id, event.namespace) != event.namespace:
            return None
        return Change(event.container_id, event.kind, event.unix_ns, event.exit_code)

    async def describe(self, change: Change) -> Container | None:
        if change.container_id in self._described:
            return None
        metadata = {containerd.NAMESPACE: self._namespaces[change.container_id]}
        request = containerd.encode_get(change.container_id)
        try:
            return self._parse(await self._channel.call(containerd.CONTAINERS_GET, request, metadata))
        except CallFailed as error:
            if not error.is_of_what_was_asked:
                raise
            return None


def container_of(found: containerd.Container) -> Container:
    """Names are in the annotations of its specification, which older versions leave to labels in part; labels of what
    is no pod's may be the image's. ctr gives ids for names."""
    spec, labels = found.spec, found.labels
    name = ContainerName(found.container_id, spec.container if spec else "", image=found.image)
    if spec is not None and spec.pod:
        name = name._replace(
            container="" if spec.is_sandbox else spec.container or labels.get("io.kubernetes.container.name", ""),
            namespace=spec.namespace,
            pod=spec.pod,
            pod_uid=spec.pod_uid or labels.get("io.kubernetes.pod.uid", ""),
        )
    elif not name.container:
        name = name._replace(container=labels.get("nerdctl/name") or found.container_id)
    return with_spec(Container(name, "containerd", created_ns=found.created_ns), spec)
