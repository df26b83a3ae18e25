# SPDX-License-Identifier: MIT
"""Allocations: which devices a container was given, whether or not it uses them. What its processes hold is another
fact (`holding`), and the two are never mixed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """Where an allocation came by Dynamic Resource Allocation: the ResourceClaim, in the container's namespace. Driver,
    pool and device name the device in the cluster; `cdi_devices` are its names by the Container Device Interface."""

    name: str
    driver: str
    pool: str
    device: str
    cdi_devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Allocation:
    """The devices of one resource that one container was given. "" is what the source does not know.

    `resource` is as Kubernetes writes it ("nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "rdma/hca"), with a claim the
    driver's name ("gpu.nvidia.com"). `device_ids` are as the device plugin names them, a replica of a shared GPU with
    its number ("GPU-5a3c...::3"); `devices` are the devices behind them, each once: the UUID of a GPU or of a MIG
    instance, a PCI address. Of a claim both are what the driver calls its device, or the UUID in its CDI name.
    `nodes` are device nodes of the host that came with it (/dev/nvidia3). `uses_mps` says that GPUs are shared by MPS.
    Outside of Kubernetes `container_id` and `runtime` tell the container, or `job_id` the batch job and `uid` its user.
    `source` says who told: "pod-resources", "checkpoint", "bundle", "slurm".
    """

    namespace: str
    pod: str
    container: str
    resource: str
    device_ids: tuple[str, ...]
    devices: tuple[str, ...]
    source: str
    pod_uid: str = ""
    container_id: str = ""
    claim: Claim | None = None
    nodes: tuple[str, ...] = ()
    uses_mps: bool = False
    runtime: str = ""
    job_id: str = ""
    uid: int = -1

    @property
    def is_shared(self) -> bool:
        """Whether any device is given by replica, so that others may have been given it too (time slicing, MPS)."""
        return self.device_ids != self.devices


@dataclass(frozen=True, slots=True)
class Allocatable:
    """All the devices of one resource that this node may give away, replicas as in `Allocation`."""

    resource: str
    device_ids: tuple[str, ...]
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allocations:
    """What one source said in one pass. `boottime_ns` is when it was asked; `blind` says what could not be asked."""

    boottime_ns: int
    allocations: tuple[Allocation, ...] = ()
    allocatable: tuple[Allocatable, ...] = ()
    blind: tuple[str, ...] = ()
