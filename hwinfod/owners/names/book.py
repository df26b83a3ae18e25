# SPDX-License-Identifier: MIT
"""Names by container id and pod uid, from whichever source told them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.core.owner import ContainerName, PodName
from hwinfod.owners.identity import JOB, SESSION, UNIT, USER, host_part
from hwinfod.owners.memory import Memory
from hwinfod.owners.names import conflicts
from hwinfod.owners.naming import labels_of, renumbered

if TYPE_CHECKING:
    from hwinfod.core.owner import JobName, Names
    from hwinfod.owners.identity import Owner

MOST_NAMES = 8_192
_OF_USERS = (UNIT, SESSION, USER)  # what systemd keeps of a user, in which he makes cgroups


class Title(NamedTuple):
    """The values of core.owner.LABELS; what is known of an owner beyond them by its cgroup and names; where sources do
    not agree how it is called."""

    labels: tuple[str, ...]
    identity: Mapping[str, str]
    conflicts: tuple[str, ...]


class NameBook:
    """The names that were learned, of the dead too. For one thread: lanes hand over lists of names. `conflicts` are by
    container id what sources do not agree in now."""

    def __init__(self, limit: int = MOST_NAMES) -> None:
        self._containers: Memory[str, ContainerName] = Memory(limit)
        self._pods: Memory[str, PodName] = Memory(limit)
        self._jobs: Memory[str, JobName] = Memory(limit)
        self._claims: Memory[tuple[str, str], ContainerName] = Memory(limit)
        self._users: Mapping[str, str] = {}
        self._learned: Mapping[str, Names] = {}
        self._limit = limit
        self._titles: Memory[Owner, Title] = Memory(limit)
        self.conflicts: Mapping[str, tuple[str, ...]] = {}

    def learn(self, current: Mapping[str, Names]) -> bool:
        """The latest snapshots of all sources; whether there was one that was not learned before."""
        news = [names for source, names in current.items() if names is not self._learned.get(source)]
        self._learned = current
        if news:
            self._forget_titles()
            self.conflicts = conflicts.find(current)
            self._users = {str(uid): name for names in current.values() for uid, name in names.users.items()}
        for names in news:
            for user, claims in names.claims.items():
                for claim in claims:
                    self._claims.put((user, claim.container_id), claim)
            for job in names.jobs:
                self._jobs.put(job.job_id, job)
            for pod in names.pods:
                self.learn_pod(pod)
            for container in names.containers:
                self.learn_container(container)
        return bool(news)

    def conflicts_of(self, owner: Owner) -> tuple[str, ...]:
        """Where sources do not agree how the owner's container is called."""
        return self.conflicts.get(host_part(owner).container_id or "", ())

    def learn_container(self, name: ContainerName) -> None:
        """What a later source knows replaces what an earlier one said; what it does not know stays."""
        self._forget_titles()
        known = self._containers.get(name.container_id)
        if known is not None:
            name = ContainerName(*(new or old for new, old in zip(name, known, strict=True)))
        self._containers.put(name.container_id, name)
        if name.pod_uid and name.pod:
            self.learn_pod(PodName(name.pod_uid, name.namespace, name.pod))

    def learn_pod(self, name: PodName) -> None:
        """Only the kubelet tells the phase: what others say of the names leaves it."""
        self._forget_titles()
        known = self._pods.get(name.pod_uid)
        self._pods.put(name.pod_uid, name if name.phase or known is None else name._replace(phase=known.phase))

    def title_of(self, owner: Owner) -> Title:
        """All that is said of an owner: made once, and again after news."""
        title = self._titles.get(owner)
        if title is None:
            told = zip(owner._fields[1:9], owner[1:9], strict=True)
            known = {name: value for name, value in told if value is not None}
            identity = MappingProxyType({**known, **self.details_of(owner)})
            title = Title(self.labels_of(owner), identity, self.conflicts_of(owner))
            self._titles.put(owner, title)
        return title

    def _forget_titles(self) -> None:
        if len(self._titles):
            self._titles = Memory(self._limit)

    def labels_of(self, owner: Owner, otherwise: ContainerName | None = None) -> tuple[str, ...]:
        """The values of core.owner.LABELS, with the name of a user where names of users are known and the number of a
        job where its cgroup has another id. `otherwise` are its names where the book has none."""
        name = self.name_of(owner) or otherwise
        if owner.kind == USER:
            return labels_of(owner._replace(user=self._users.get(owner.user or "", owner.user)), name)
        outermost = host_part(owner)
        job = self._jobs.get(outermost.job_id) if outermost.kind == JOB and outermost.job_id else None
        return labels_of(renumbered(owner, job.job_id, job.number) if job is not None and job.number else owner, name)

    def details_of(self, owner: Owner) -> dict[str, str]:
        """What is known of an owner beyond its cgroup and its labels: of a batch job what Slurm calls it, as its own
        environment claims; the phase of a pod; the name of a user."""
        pod = self._pods.get(owner.pod_uid) if owner.pod_uid and owner.within is None else None
        found = {"phase": pod.phase if pod is not None else "", "user_name": self._users.get(owner.user or "", "")}
        job = self._jobs.get(owner.job_id) if owner.job_id and owner.kind == JOB and owner.within is None else None
        if job is not None:
            found |= {
                "job_number": job.number,
                "job_name": job.name,
                "account": job.account,
                "partition": job.partition,
            }
            found["user_name"] = job.user or found["user_name"]
        return {name: value for name, value in found.items() if value}

    def name_of(self, owner: Owner) -> ContainerName | None:
        """The names of an owner, as the host's own runtimes gave them; None where none is known.

        An id inside of somebody's territory is that somebody's claim: only the territory is looked up, and of a user's
        what he calls his own. A name that was learned for another pod than the cgroup's is not believed either.
        """
        named = host_part(owner)
        if named is not owner and named.kind in _OF_USERS:
            return self._claims.get((named.user or "", owner.container_id or ""))
        container = self._containers.get(named.container_id) if named.container_id else None
        if container is not None and named.pod_uid in (None, container.pod_uid or named.pod_uid):
            return container
        pod = self._pods.get(named.pod_uid) if named.pod_uid else None
        if pod is None:
            return None
        return ContainerName(named.container_id or "", "", pod.namespace, pod.pod, pod.pod_uid)
