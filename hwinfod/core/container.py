# SPDX-License-Identifier: MIT
"""Containers as their runtimes tell of them: names, life, and the devices that they were given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hwinfod.core.owner import ContainerName


class DeviceNode(NamedTuple):
    """A device given to a container. Path is the container's; the numbers tell which of the host's it is."""

    path: str
    major: int
    minor: int


@dataclass(frozen=True, slots=True)
class Container:
    """One container of one runtime ("containerd", "cri-o", "docker", "podman"), which lists it, running or not.

    `state` is "created", "running", "exited" or "unknown". `pid` is its first process's, in the runtime's own PID
    namespace. Times are Unix nanoseconds, 0 where the runtime does not tell. `device_nodes` and `visible_devices`
    (what NVIDIA_VISIBLE_DEVICES says: UUIDs, indices, "all") are what it was given; with `may_open_all_devices`
    (privileged) nodes say nothing of that. `is_sandbox` is the one that holds a pod's namespaces. `was_out_of_memory`
    says of one that has exited that the kernel had killed a process of it for want of memory.
    """

    name: ContainerName
    runtime: str
    state: str = "unknown"
    pid: int | None = None
    exit_code: int | None = None
    created_ns: int = 0
    changed_ns: int = 0
    device_nodes: tuple[DeviceNode, ...] = ()
    visible_devices: tuple[str, ...] = ()
    may_open_all_devices: bool = False
    is_sandbox: bool = False
    was_out_of_memory: bool = False

    @property
    def id(self) -> str:
        return self.name.container_id
