# SPDX-License-Identifier: MIT
"""The JSON of /v1/owners, /v1/containers and /v1/holders, as types."""

from __future__ import annotations

from typing import TypedDict

from hwinfod.wire import WireValue


class HolderProcess(TypedDict):
    """A process that holds part of a device; pid 0 is the kernel, its user named. `command_line` is what was asked for
    (?command_lines=true) by root or a member of the group hwinfod, at most 4 KiB of it, as it is at this moment; null
    where it was not, and where it could not be read."""

    pid: int
    name: str
    uid: int
    command_line: str | None
    amounts: dict[str, float]


class OwnerDevice(TypedDict):
    """What an owner holds of one device, by its processes; `amounts` have their unit in the name."""

    device: str
    name: str
    kind: str
    amounts: dict[str, float]
    processes: list[HolderProcess]


class OpenNodes(TypedDict):
    """A process that has device nodes open. `devices` are the ids of those that the nodes lead to: those of a whole
    driver (/dev/kfd, /dev/nvidiactl) lead to none. `memory_bytes` is what it holds of them, null where it holds none.
    `uid` is -1 where it is not shown. `command_line` is as in HolderProcess."""

    pid: int
    process: str
    uid: int
    command_line: str | None
    owner_id: str
    owner: str
    nodes: list[str]
    devices: list[str]
    memory_bytes: int | None


class Usage(TypedDict):
    """What an owner uses of the host. `values` are the latest by metric name without `hw_owner_`, units in the name;
    what a metric has by resource or device is in `by_label`. Both are empty where its cgroup is not accounted.
    `network` is own, host (it has no traffic of its own), shared (counted at another owner in its network namespace),
    hidden (it may not be seen) or "" where nobody looked."""

    values: dict[str, WireValue]
    by_label: dict[str, dict[str, WireValue]]
    network: str


class GpuPlacement(TypedDict):
    """Where one of an owner's GPUs stands. `rdma` are the RDMA devices in which its processes hold queue pairs, the
    nearest first, with what lies between in the words of `nvidia-smi topo -m`: PIX, PXB, PHB, NODE, SYS. `nearer_idle`
    are those that are up, nearer than all of these, and used by no process."""

    device: str
    gpu: str
    numa_node: int | None
    rdma: dict[str, str]
    nearer_idle: dict[str, str]


class AllocatedDevice(TypedDict):
    """A device that an owner was given, whether or not it uses it. `part` is the MIG instance or partition, "" for the
    whole; `sharing` is whole, mig, time-slicing, mps or shared; `share` how much of the device it is, 0 to 1, null
    where nobody can tell. `resource`, `device_ids` and `claim` are as who gave it names them, `sources` say who told.
    `idle_seconds` is for how long a GPU has not been used by this owner, null where that cannot be seen."""

    device: str
    name: str
    kind: str
    part: str
    sharing: str
    share: float | None
    resource: str
    device_ids: list[str]
    claim: str
    sources: list[str]
    idle_seconds: float | None


class OwnerTitle(TypedDict):
    """What an owner is called: the labels of its series. "" where it has no such name."""

    owner: str
    kind: str
    namespace: str
    pod: str
    container: str
    job_id: str
    unit: str


class Owner(OwnerTitle):
    """A pod, container, batch job, unit, session or user. `identity` is what its cgroup says beyond the labels;
    `conflicts` where a hierarchy of cgroups has another owner for one of its processes. `devices` are those that
    its processes hold, `allocated` those that it was given: two facts. `nodes` are the device nodes that its processes
    have open."""

    id: str
    uid: int | None
    identity: dict[str, str]
    cgroups: list[str]
    conflicts: list[str]
    since_seconds: float | None
    devices: list[OwnerDevice]
    allocated: list[AllocatedDevice]
    nodes: list[OpenNodes]
    placement: list[GpuPlacement]
    usage: Usage


class Owners(TypedDict):
    """By GPU `unattributed_bytes` is the memory that no process in sight holds, `overstated_bytes` what processes tell
    beyond what the GPU has in use (memory that they share), by which they were brought down. `blind` says why some may
    be out of sight."""

    owners: list[Owner]
    unattributed_bytes: dict[str, int]
    overstated_bytes: dict[str, int]
    blind: list[str]


class Holders(TypedDict):
    """Every process with a device node open, the most memory first. `age_seconds` is of the last complete look at all
    processes, null before it; `hidden_processes` may not be looked into. Others than one's own are one, "another
    user"."""

    age_seconds: float | None
    hidden_processes: int
    holders: list[OpenNodes]
    blind: list[str]


class ProcessDevice(TypedDict):
    """What a process holds of one device; `amounts` have their unit in the name."""

    device: str
    name: str
    kind: str
    amounts: dict[str, float]


class Process(OwnerTitle):
    """A process of this host as it is at this moment, whether or not it holds a device. `uid` is the effective one,
    `user` its name. `owner_id` leads to /v1/owners/{id} where the owner holds, was given or uses something; `identity`
    is what its cgroup says beyond the labels, and `conflicts` where a hierarchy of cgroups has another owner for it.
    `devices` are those that it holds, `nodes` the device nodes that it has open, by the latest looks at all processes.
    `command_line` is as in HolderProcess."""

    pid: int
    name: str
    uid: int
    user: str
    since_seconds: float
    command_line: str | None
    owner_id: str
    identity: dict[str, str]
    cgroup: str
    conflicts: list[str]
    devices: list[ProcessDevice]
    nodes: list[str]


class Container(TypedDict):
    """One container, running or not. `id` is its runtime's, `owner_id` leads to /v1/owners/{id}. `state` is created,
    running, exited or unknown, as the runtime tells, and running where none tells and its cgroup has processes;
    `exit_code`, `pid` (its first process) and `created_seconds` are null where it does not. `devices` is what its
    processes hold; `device_nodes` and `visible_devices` (NVIDIA_VISIBLE_DEVICES) what it was made with, which says
    nothing where it `may_open_all_devices`."""

    id: str
    owner_id: str
    owner: str
    namespace: str
    pod: str
    container: str
    pod_uid: str
    image: str
    runtime: str
    state: str
    exit_code: int | None
    pid: int | None
    created_seconds: float | None
    is_sandbox: bool
    cgroups: list[str]
    devices: list[OwnerDevice]
    device_nodes: list[str]
    visible_devices: list[str]
    may_open_all_devices: bool
    usage: Usage


class Containers(TypedDict):
    """Every container that is known, by namespace, pod and name. `others` counts those that the viewer may not see."""

    containers: list[Container]
    others: int
    blind: list[str]
