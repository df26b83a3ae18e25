# SPDX-License-Identifier: MIT
"""Which NVIDIA GPUs there are: those that NVML shows, and those that sleep or were given to a virtual machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwinfod.collectors._gpu_families import INFO
from hwinfod.collectors._nvidia_peers import read_peers
from hwinfod.collectors._nvidia_readings import MEMORY_V2
from hwinfod.collectors._pci_status import read_status
from hwinfod.core.device import Device, Status
from hwinfod.sources.drm_nodes import DrmNodes, read_drm_nodes
from hwinfod.sources.files import link_name, list_directory, read_int
from hwinfod.sources.nvml_errors import NOT_SUPPORTED, DeviceFailed, LibraryFailed, NvmlError
from hwinfod.sources.nvml_library import list_gpus_on_pci
from hwinfod.sources.pci import read_driver, read_is_suspended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hwinfod.core.host import Host, RootPaths
    from hwinfod.sources.nvml import Handle, Session

    LeaveOut = Callable[[int, NvmlError], None]

KIND, VENDOR = "gpu", "NVIDIA"

# nvml.h NVML_DEVICE_ARCH_*.
_ARCHITECTURES = {
    2: "Kepler", 3: "Maxwell", 4: "Pascal", 5: "Volta", 6: "Turing", 7: "Ampere", 8: "Ada", 9: "Hopper",
    10: "Blackwell", 13: "Rubin",
}  # fmt: skip
_MODES = {0: "off", 1: "on"}
_COMPUTE_MODES = {0: "default", 2: "prohibited", 3: "exclusive process"}


@dataclass(slots=True, eq=False)
class Gpu:
    """One GPU that NVML shows. `index` is the label that it got when it was first seen; `pci` as sysfs writes it;
    `mute_ticks` how often in a row no reading gave anything."""

    uuid: str
    index: str
    pci: str
    handle: Handle
    facts: dict[str, str]
    directory: str = ""
    mig_enabled: bool = False
    is_unified: bool = False
    trouble: str = ""
    is_stale: bool = False
    is_lost: bool = False
    mute_ticks: int = 0

    @property
    def labels(self) -> tuple[str, str]:
        return self.index, self.uuid

    @property
    def title(self) -> str:
        return f"{self.index} {self.facts['model']}"

    def record(self, status: Status = Status.PRESENT) -> Device:
        return Device(self.uuid, KIND, self.title, self.facts, INFO, self.pci, missed=True, status=status)


def find_gpus(session: Session, host: Host, known: Mapping[str, Device], leave_out: LeaveOut) -> list[Gpu]:
    """Every GPU that answers; `leave_out` is told the number and error of one that does not. Raises LibraryFailed."""
    versions = _versions(session)
    taken = {device.facts.get("gpu", "") for device in known.values()}
    gpus = []
    for number, handle in list_handles(session, host.roots, leave_out):
        try:
            gpu = _read_gpu(session, handle, host.roots, versions)
        except LibraryFailed:
            raise
        except NvmlError as error:
            leave_out(number, error)
            continue
        before = known.get(gpu.uuid) or known.get(_by_place(gpu.pci))
        gpu.index = before.facts["gpu"] if before is not None and "gpu" in before.facts else _free_index(number, taken)
        gpu.facts["gpu"] = gpu.index
        taken.add(gpu.index)
        gpus.append(gpu)
    return gpus


def elsewhere(host: Host, known: Mapping[str, Device], seen: set[str]) -> Iterator[Device]:
    """The GPUs on the PCI bus that NVML does not show because they sleep or belong to somebody else. One that was
    seen before keeps its id; of another nothing but the address is known."""
    by_pci = {device.facts.get("pci", ""): device for device in known.values()}
    for address in list_gpus_on_pci(host.roots):
        directory = host.roots.sys("bus/pci/devices", address)
        driver = read_driver(directory)
        status = read_status(directory, driver)
        if address in seen or status is Status.PRESENT:
            continue
        before = by_pci.get(address)
        facts = dict(before.facts) if before is not None else {"vendor": VENDOR, "model": "NVIDIA GPU", "pci": address}
        facts["driver"] = driver
        id_ = before.id if before is not None else _by_place(address)
        name = before.name if before is not None else address
        info = INFO if before is not None else None
        yield Device(id_, KIND, name, facts, info, address, missed=True, status=status)


def silent(host: Host, known: Mapping[str, Device], shown: Sequence[Gpu]) -> Iterator[Device]:
    """The GPUs that the driver has, and that NVML does not show and never did: dead since before we looked. Source:
    /proc/driver/nvidia/gpus, where a container sees those that were given to it."""
    seen = {gpu.pci for gpu in shown}
    with_name = {device.facts.get("pci", "") for device in known.values() if device.id != _by_place(device.parent)}
    taken = {device.facts.get("gpu", "") for device in known.values()} | {gpu.index for gpu in shown}
    driven = set(list_directory(host.roots.proc("driver", "nvidia", "gpus")))
    for number, address in enumerate(list_gpus_on_pci(host.roots)):
        if address in seen | with_name or address not in driven:
            continue
        directory = host.roots.sys("bus/pci/devices", address)
        if _status(directory) is not Status.PRESENT:
            continue
        before, id_ = known.get(_by_place(address)), _by_place(address)
        index = before.facts.get("gpu", "") if before is not None else ""
        index = index or _free_index(number, taken)
        taken.add(index)
        facts = {"gpu": index, "uuid": id_, "vendor": VENDOR, "model": "NVIDIA GPU", "pci": address}
        facts["driver"] = read_driver(directory)
        yield Device(id_, KIND, f"{index} at {address}", facts, None, address, missed=True, status=Status.LOST)


def _by_place(address: str) -> str:
    """The id of a GPU of which nothing else is known."""
    return f"gpu:{address}"


def find_functions(roots: RootPaths) -> dict[str, Status]:
    """NVIDIA's functions on the PCI bus by address: a change is a reason to look anew."""
    base = roots.sys("bus/pci/devices")
    return {address: _status(os.path.join(base, address)) for address in list_gpus_on_pci(roots)}


def _status(directory: str) -> Status:
    return read_status(directory, read_driver(directory))


def given_away(functions: Mapping[str, Status]) -> dict[str, bool]:
    """By address, whether somebody else has it, whatever it does there."""
    return {address: status is Status.PASSED_THROUGH for address, status in functions.items()}


def known_gpus(host: Host) -> dict[str, Device]:
    """The GPUs of NVIDIA that were ever seen, by id: an index label outlives the collector that gave it."""
    return {
        id_: device
        for id_, device in host.devices.current.items()
        if device.kind == KIND and device.facts.get("vendor") == VENDOR
    }


def ids_by_place(gpus: Mapping[str, Device]) -> dict[str, str]:
    """The id of each GPU by what it is called before it is known: its address, without the function as the kernel's
    log has it, and the id of one that never answered. Of several at one address, the one that is there."""
    ids = {}
    for gpu in sorted(gpus.values(), key=lambda gpu: gpu.status is Status.PRESENT):
        address = gpu.facts.get("pci", "")
        ids[address.rpartition(".")[0]] = ids[_by_place(address)] = gpu.id
    return ids


def is_suspended(gpu: Gpu) -> bool:
    """Any call would wake it."""
    return bool(gpu.directory) and read_is_suspended(gpu.directory)


def _free_index(number: int, taken: set[str]) -> str:
    while str(number) in taken:
        number += 1
    return str(number)


def list_handles(session: Session, roots: RootPaths, leave_out: LeaveOut) -> Iterator[tuple[int, Handle]]:
    """By number; by address where a GPU sleeps, because going through the numbers would wake it."""
    base = roots.sys("bus/pci/devices")
    addresses = list_gpus_on_pci(roots)
    asleep = [a for a in addresses if read_is_suspended(os.path.join(base, a))]
    if asleep:
        for number, address in enumerate(addresses):
            if _status(os.path.join(base, address)) is Status.PRESENT:
                yield from _handle(session, number, leave_out, "nvmlDeviceGetHandleByPciBusId", address.encode())
        return
    try:
        count = int(session.call("nvmlDeviceGetCount"))
    except NvmlError as error:
        raise LibraryFailed(error.function, error.code) from None  # without it there is nothing to be had
    for number in range(count):
        yield from _handle(session, number, leave_out, "nvmlDeviceGetHandleByIndex", number)


def _handle(
    session: Session, number: int, leave_out: LeaveOut, function: str, argument: object
) -> Iterator[tuple[int, Handle]]:
    try:
        yield number, session.call(function, argument)
    except LibraryFailed:
        raise
    except NvmlError as error:
        leave_out(number, error)  # lost, or hidden from us by a device cgroup: costs this one


def _versions(session: Session) -> dict[str, str]:
    """Of driver, library and CUDA, "" where they are not told. Raises LibraryFailed."""
    try:
        cuda = session.optional("nvmlSystemGetCudaDriverVersion_v2")
        return {
            "driver_version": session.optional_text("nvmlSystemGetDriverVersion"),
            "nvml_version": session.optional_text("nvmlSystemGetNVMLVersion"),
            "cuda_version": "" if not cuda else f"{cuda // 1000}.{cuda % 1000 // 10}",
        }
    except DeviceFailed:
        return {}  # of no device: an answer that makes no sense


def _read_gpu(session: Session, handle: Handle, roots: RootPaths, versions: Mapping[str, str]) -> Gpu:
    """The facts of one GPU; only its UUID must be there. Raises NvmlError."""
    uuid = session.text("nvmlDeviceGetUUID", handle)
    pci = session.pci_address("nvmlDeviceGetPciInfo_v3", handle)
    directory = os.path.realpath(roots.sys("bus/pci/devices", pci)) if pci else ""
    is_known = os.path.isdir(directory)
    nodes = read_drm_nodes(roots, directory) if is_known else DrmNodes("", "", "")
    mig = session.optional("nvmlDeviceGetMigMode", handle) or (0, 0)
    gpu = Gpu(uuid, "", pci, handle, {}, directory if is_known else "", mig_enabled=mig[0] == 1)
    gpu.is_unified = _is_unified(session, handle)
    gpu.facts = {
        "uuid": uuid,
        "vendor": VENDOR,
        "model": session.optional_text("nvmlDeviceGetName", handle).removeprefix("NVIDIA ") or "GPU",
        "pci": pci,
        "numa_node": _numa_node(directory),
        "driver": link_name(os.path.join(directory, "driver")) or "nvidia",
        "memory": "unified" if gpu.is_unified else "dedicated",
        "serial": session.optional_text("nvmlDeviceGetSerial", handle),
        "part_number": session.optional_text("nvmlDeviceGetBoardPartNumber", handle),
        "vbios": session.optional_text("nvmlDeviceGetVbiosVersion", handle),
        "inforom": session.optional_text("nvmlDeviceGetInforomImageVersion", handle),
        "render_node": nodes.render,
        "by_path": nodes.by_path,
        "nvlink_peers": read_peers(session, handle),
        "mig_mode": _MODES.get(mig[0], "") if session.optional("nvmlDeviceGetMigMode", handle) else "",
        **_numbers(session, handle),
        **versions,
    }
    return gpu


def _numbers(session: Session, handle: Handle) -> dict[str, str]:
    def text(value: Any, words: Mapping[int, str] | None = None) -> str:
        return "" if value is None else words.get(value, str(value)) if words is not None else str(value)

    minor = session.optional("nvmlDeviceGetMinorNumber", handle)
    capability = session.optional("nvmlDeviceGetCudaComputeCapability", handle)
    ecc = session.optional("nvmlDeviceGetEccMode", handle)
    return {
        "device_node": "" if minor is None else f"/dev/nvidia{minor}",
        "architecture": text(session.optional("nvmlDeviceGetArchitecture", handle), _ARCHITECTURES),
        "cores": text(session.optional("nvmlDeviceGetNumGpuCores", handle)),
        "compute_capability": "" if capability is None else f"{capability[0]}.{capability[1]}",
        "ecc_mode": "" if ecc is None else text(ecc[0], _MODES),
        "persistence_mode": text(session.optional("nvmlDeviceGetPersistenceMode", handle), _MODES),
        "compute_mode": text(session.optional("nvmlDeviceGetComputeMode", handle), _COMPUTE_MODES),
    }


def _is_unified(session: Session, handle: Handle) -> bool:
    """Grace-Blackwell desktops and Jetsons have one memory, and NVML says that it does not support the question.
    Raises DeviceFailed and LibraryFailed."""
    code = 0
    for version in ((MEMORY_V2,), ()):
        try:
            return int(session.call("nvmlDeviceGetMemoryInfo", handle, *version).total) == 0
        except (DeviceFailed, LibraryFailed):
            raise
        except NvmlError as error:
            code = error.code
    return code == NOT_SUPPORTED


def _numa_node(directory: str) -> str:
    node = read_int(os.path.join(directory, "numa_node")) if directory else None
    return "" if node is None or node < 0 else str(node)
