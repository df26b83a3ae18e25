# SPDX-License-Identifier: MIT
"""Names by container id and pod uid, from whichever source told them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.owner import ContainerName, PodName
from hwinfod.owners.identity import host_part
from hwinfod.owners.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.owner import Names
    from hwinfod.owners.identity import Owner

MOST_NAMES = 8_192


class NameBook:
    """The names that were learned, of the dead too. For one thread: lanes hand over lists of names."""

    def __init__(self, limit: int = MOST_NAMES) -> None:
        self._containers: Memory[str, ContainerName] = Memory(limit)
        self._pods: Memory[str, PodName] = Memory(limit)
        self._learned: Mapping[str, Names] = {}

    def learn(self, current: Mapping[str, Names]) -> bool:
        """The latest snapshots of all sources; whether there was one that was not learned before."""
        news = [names for source, names in current.items() if names is not self._learned.get(source)]
        self._learned = current
        for names in news:
            for pod in names.pods:
                self.learn_pod(pod)
            for container in names.containers:
                self.learn_container(container)
        return bool(news)

    def learn_container(self, name: ContainerName) -> None:
        """What a later source knows replaces what an earlier one said; what it does not know stays."""
        known = self._containers.get(name.container_id)
        if known is not None:
            name = ContainerName(*(new or old for new, old in zip(name, known, strict=True)))
        self._containers.put(name.container_id, name)
        if name.pod_uid and name.pod:
            self.learn_pod(PodName(name.pod_uid, name.namespace, name.pod))

    def learn_pod(self, name: PodName) -> None:
        self._pods.put(name.pod_uid, name)

    def name_of(self, owner: Owner) -> ContainerName | None:
        """The names of an owner, as the host's own runtimes gave them; None where none is known.

        An id inside of somebody's territory is that somebody's claim: only the territory is looked up. A name
        that was learned for another pod than the cgroup's is not believed either.
        """
        named = host_part(owner)
        container = self._containers.get(named.container_id) if named.container_id else None
        if container is not None and named.pod_uid in (None, container.pod_uid or named.pod_uid):
            return container
        pod = self._pods.get(named.pod_uid) if named.pod_uid else None
        if pod is None:
            return None
        return ContainerName(named.container_id or "", "", pod.namespace, pod.pod, pod.pod_uid)
