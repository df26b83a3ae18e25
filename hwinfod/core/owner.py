# SPDX-License-Identifier: MIT
"""Owners as faces see them: who holds which part of which device, by the latest pass of attribution; and the names of
containers and pods, as the lane that reads them hands them over."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.metric import Metric

LABELS = ("owner", "kind", "namespace", "pod", "container", "job_id", "unit")


@dataclass(frozen=True, slots=True)
class Holder:
    """One process's part of one device. `name` is the process's own and hostile; `pid` 0 is the kernel."""

    device: str
    pid: int
    start_time_ticks: int
    name: str
    uid: int
    amounts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class OwnerRecord:
    """A pod, container, job, unit, session or user that holds something.

    `id` is stable while the owner lives and unique on this host, `label` what a person calls it. `labels` are the
    values of LABELS, "" where one does not apply. `identity` is what the cgroup says beyond them (pod_uid,
    container_id, runtime ...). `uid` is the user of its processes, -1 where they have several. `since_boottime_ns` is
    the start of the first of them that was seen, also where others took its place. `cgroups` are the paths
    that its processes are in; `conflicts` says where a hierarchy has another owner for one of them, and
    where sources do not agree in a container's names.
    """

    id: str
    label: str
    labels: tuple[str, ...]
    identity: Mapping[str, str]
    uid: int
    since_boottime_ns: int
    holders: tuple[Holder, ...]
    cgroups: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()

    def totals(self, device: str) -> dict[str, float]:
        """The amounts that it holds of one device, over all its processes."""
        sums: dict[str, float] = {}
        for holder in self.holders:
            if holder.device == device:
                for name, amount in holder.amounts.items():
                    sums[name] = sums.get(name, 0) + amount
        return sums


@dataclass(frozen=True, slots=True)
class NodeHolder:
    """A process that has device nodes open, whether or not it holds anything behind them. `owner` is its owner's id.
    `devices` are those that the nodes lead to; nodes of a whole driver (/dev/kfd, /dev/nvidiactl) lead to none."""

    owner: str
    pid: int
    start_time_ticks: int
    name: str
    uid: int
    nodes: tuple[str, ...]
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attribution:
    """One pass. By device `unattributed_bytes` is what it uses and no owner holds, `overstated_bytes` what its
    processes say beyond what it uses. `blind` says why processes may be there that were not seen; `boottime_ns` when
    the pass was made, 0 before the first. Who only has nodes open is an owner without holders."""

    boottime_ns: int = 0
    owners: Mapping[str, OwnerRecord] = field(default_factory=lambda: MappingProxyType({}))
    unattributed_bytes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    overstated_bytes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    node_holders: tuple[NodeHolder, ...] = ()
    blind: tuple[str, ...] = ()


class ContainerName(NamedTuple):
    """A container by its names; "" for what the source does not know. Outside Kubernetes `container` is the name
    that its runtime lists."""

    container_id: str
    container: str
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    image: str = ""


class PodName(NamedTuple):
    """A pod by its names, for where the container is not known (yet). `phase` is the kubelet's word (Running, Failed),
    "" where it was not asked."""

    pod_uid: str
    namespace: str
    pod: str
    phase: str = ""


class JobName(NamedTuple):
    """A batch job by its cgroup's id and by the number that users type, in the scheduler's own word ("" where it was
    not heard); the rest as its own environment claims."""

    job_id: str
    number: str
    name: str = ""
    user: str = ""
    account: str = ""
    partition: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """What was found in one pass, of the living; `blind` says what may not be read, and so which names are missing.
    `users` are names by uid. `claims` are what users call their own containers, by uid in decimal: good in their own
    territory and nowhere else."""

    containers: tuple[ContainerName, ...] = ()
    pods: tuple[PodName, ...] = ()
    blind: tuple[str, ...] = ()
    jobs: tuple[JobName, ...] = ()
    users: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    claims: Mapping[str, tuple[ContainerName, ...]] = field(default_factory=lambda: MappingProxyType({}))


def tells_owners(metric: Metric) -> bool:
    """Whether the series of a metric name owners: they are for those who may see other people's work."""
    return "owner" in metric.labels
