# SPDX-License-Identifier: MIT
"""MIG: the instances that a GPU is cut into. They come and go while the GPU works, and their handles with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.collectors._nvidia_families import MIG_INFO, MIG_LIMIT, MIG_USAGE
from hwinfod.collectors._nvidia_readings import MEMORY_V2, known
from hwinfod.core.device import Device
from hwinfod.core.table import Groups
from hwinfod.sources.nvml_errors import INVALID_ARGUMENT, NOT_FOUND, DeviceFailed, LibraryFailed, NvmlError

if TYPE_CHECKING:
    from hwinfod.collectors._nvidia_inventory import Gpu
    from hwinfod.core.collector import Skip
    from hwinfod.core.table import Table
    from hwinfod.sources.nvml import Handle, Session

_GONE = frozenset({INVALID_ARGUMENT, NOT_FOUND})
KIND = "gpu partition"  # as of every vendor


@dataclass(frozen=True, slots=True)
class Instance:
    """One MIG device: a compute instance in a GPU instance. `number` is its place in NVML's enumeration."""

    uuid: str
    number: int
    handle: Handle
    profile: str
    gpu_instance: int | None
    facts: dict[str, str]

    def labels(self, gpu: Gpu) -> tuple[str, ...]:
        return (*gpu.labels, self.uuid, self.profile)

    def record(self, gpu: Gpu) -> Device:
        facts = {**self.facts, "gpu": gpu.index, "uuid": gpu.uuid, "mig_uuid": self.uuid, "profile": self.profile}
        return Device(self.uuid, KIND, f"{gpu.index}:{self.number} {self.profile}", facts, MIG_INFO, gpu.uuid)


class Mig:
    """The instances of all GPUs, and their memory."""

    def __init__(self, table: Table) -> None:
        self._groups = Groups(
            table, lambda key: [(metric, tuple(key.split("\0"))) for metric in (MIG_USAGE, MIG_LIMIT)]
        )
        self._instances: dict[str, list[Instance]] = {}

    def of(self, gpu: Gpu) -> list[Instance]:
        return self._instances.get(gpu.uuid, [])

    def forget(self) -> None:
        self._instances.clear()

    def sample(self, session: Session, gpu: Gpu, skip: Skip) -> bool:
        """Fills the row; whether instances came or went. Raises DeviceFailed and LibraryFailed of the GPU."""
        before = self.of(gpu)
        now = list_instances(session, gpu, {instance.uuid: instance for instance in before}, skip)
        if now:
            self._instances[gpu.uuid] = now
        else:
            self._instances.pop(gpu.uuid, None)
        for instance in now:
            try:
                memory = session.call("nvmlDeviceGetMemoryInfo", instance.handle, MEMORY_V2)
            except LibraryFailed:
                raise
            except NvmlError as error:
                _note(skip, error.function, error)
                continue
            self._groups.set("\0".join(instance.labels(gpu)), [known(memory.used), known(memory.total)])
        return [instance.uuid for instance in before] != [instance.uuid for instance in now]

    def sweep(self) -> None:
        self._groups.sweep()


def list_instances(session: Session, gpu: Gpu, known_before: dict[str, Instance], skip: Skip) -> list[Instance]:
    """The enumeration has holes: one that is not found is not the end. Raises DeviceFailed and LibraryFailed."""
    if not gpu.mig_enabled:
        return []
    found = []
    for number in range(_count(session, gpu, skip)):
        try:
            handle = session.call("nvmlDeviceGetMigDeviceHandleByIndex", gpu.handle, number)
            uuid = session.text("nvmlDeviceGetUUID", handle)
            before = known_before.get(uuid)
            found.append(_read(session, handle, uuid, number) if before is None else _moved(before, number, handle))
        except (DeviceFailed, LibraryFailed):
            raise
        except NvmlError as error:
            _note(skip, "MIG", error)
    return found


def _count(session: Session, gpu: Gpu, skip: Skip) -> int:
    """How many instances there could be."""
    try:
        return int(session.call("nvmlDeviceGetMaxMigDeviceCount", gpu.handle))
    except (DeviceFailed, LibraryFailed):
        raise
    except NvmlError as error:
        _note(skip, "MIG", error)
        return 0


def _note(skip: Skip, thing: str, error: NvmlError) -> None:
    """Instances may be destroyed at any time; whatever else is in the way of seeing them is said."""
    if error.code not in _GONE:
        skip(thing, error)


def _moved(instance: Instance, number: int, handle: Handle) -> Instance:
    return Instance(instance.uuid, number, handle, instance.profile, instance.gpu_instance, instance.facts)


def _read(session: Session, handle: Handle, uuid: str, number: int) -> Instance:
    """Raises NvmlError: what is missing now would be missing for as long as the instance lives."""
    attributes = session.supported("nvmlDeviceGetAttributes", handle)
    gpu_instance = session.supported("nvmlDeviceGetGpuInstanceId", handle)
    compute_instance = session.supported("nvmlDeviceGetComputeInstanceId", handle)
    facts = {
        "gpu_instance": "" if gpu_instance is None else str(gpu_instance),
        "compute_instance": "" if compute_instance is None else str(compute_instance),
        "multiprocessors": "" if attributes is None else str(attributes.multiprocessorCount),
    }
    profile = ""
    if attributes is not None:
        gpu_slices, slices = attributes.gpuInstanceSliceCount, attributes.computeInstanceSliceCount
        size = f"{gpu_slices}g.{round_up_gib(attributes.memorySizeMB)}gb"
        profile = size if slices == gpu_slices else f"{slices}c.{size}"
    return Instance(uuid, number, handle, profile, gpu_instance, facts)


def round_up_gib(mebibytes: int) -> int:
    """Profiles are named by the memory that was asked for; the instance has a little less: 40,448 MiB are 40gb."""
    return -(-mebibytes // 1024)
