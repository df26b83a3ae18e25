# SPDX-License-Identifier: MIT
"""Whose an allocation is: the kubelet's API names containers, cgroups number them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.owner import ContainerName
from hwinfod.owners.identity import CONTAINER, JOB, POD, Owner
from hwinfod.owners.names import logs

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from hwinfod.core.allocation import Allocation
    from hwinfod.core.owner import Names


class People:
    """The containers and pods of the latest names, by what allocations call them. A name may have been another's before
    (a container that was restarted, a pod of a StatefulSet): of several the one that is alive is meant."""

    def __init__(self, names: Mapping[str, Names]) -> None:
        self.names = names
        self._containers: dict[tuple[str, ...], list[ContainerName]] = {}
        self._uids: dict[tuple[str, str], list[str]] = {}
        self._pods: dict[str, tuple[str, str]] = {}
        # logs outlive their containers: what others say of a name counts more
        for source in sorted(names, key=lambda name: (name != logs.SOURCE, name)):
            for pod in names[source].pods:
                self._uids.setdefault((pod.namespace, pod.pod), []).append(pod.pod_uid)
                self._pods[pod.pod_uid] = (pod.namespace, pod.pod)
            for name in names[source].containers:
                if name.container and name.pod:
                    self._containers.setdefault((name.namespace, name.pod, name.container), []).append(name)
                if name.container and name.pod_uid:
                    self._containers.setdefault((name.pod_uid, name.container), []).append(name)

    def owner_of(self, allocation: Allocation, alive: Container[str] = ()) -> tuple[Owner, ContainerName]:
        """The owner as its cgroup would tell, as far as it is known, and its names. `alive` are uids of pods and ids of
        containers."""
        if allocation.job_id:
            return Owner(JOB, allocation.source, job_id=allocation.job_id), ContainerName("", "")
        if not (allocation.pod or allocation.pod_uid):
            name = ContainerName(allocation.container_id, allocation.container)
            return Owner(CONTAINER, allocation.runtime or None, allocation.container_id), name
        name = self._name_of(allocation, alive)
        return Owner(POD, container_id=name.container_id or None, pod_uid=name.pod_uid or None), name

    def _name_of(self, allocation: Allocation, alive: Container[str]) -> ContainerName:
        namespace, pod, uid = allocation.namespace, allocation.pod, allocation.pod_uid
        key = (uid, allocation.container) if uid else (namespace, pod, allocation.container)
        known = _alive_one(self._containers.get(key, []), alive)
        if not pod:
            namespace, pod = (known.namespace, known.pod) if known and known.pod else self._pods.get(uid, ("", ""))
        if not uid:
            uids = self._uids.get((namespace, pod), [""])
            uid = known.pod_uid if known and known.pod_uid else next((u for u in uids if u in alive), uids[-1])
        container_id = allocation.container_id or (known.container_id if known else "")
        return ContainerName(container_id, allocation.container, namespace, pod, uid)


def _alive_one(names: list[ContainerName], alive: Container[str]) -> ContainerName | None:
    """The last of those that are alive, else of those whose pod is, else of all."""
    return max(reversed(names), key=lambda name: (name.container_id in alive, name.pod_uid in alive), default=None)


def id_without_uid(name: ContainerName) -> str:
    """The id of an owner of which only its names are known yet."""
    return f"pod:{name.namespace}/{name.pod}:{name.container}"
