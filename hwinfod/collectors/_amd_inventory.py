# SPDX-License-Identifier: MIT
"""Which AMD GPUs are here: by what they say of themselves, with the index that each had when it was first seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwinfod.collectors._gpu_families import INFO
from hwinfod.collectors._gpu_peers import write_peers
from hwinfod.collectors._pci_status import read_status
from hwinfod.core.device import Device, Status
from hwinfod.sources.amdgpu import (
    DRIVER,
    Identity,
    read_amd_gpu,
    read_identity,
    read_market_name,
    read_partitioning,
)
from hwinfod.sources.drm_nodes import read_drm_nodes
from hwinfod.sources.files import read_text
from hwinfod.sources.kfd import read_generation, read_nodes
from hwinfod.sources.pci import list_pci, read_driver

if TYPE_CHECKING:
    from hwinfod.core.host import Host, RootPaths
    from hwinfod.sources.kfd import Node
    from hwinfod.sources.pci import PciDevice

_NOBODY = Identity("", "", "", "", "")
KIND = "gpu"
PARTITION_KIND = "gpu partition"


@dataclass(slots=True, eq=False)
class AmdGpu:
    """One board. `uuid` is what ROCm calls it (GPU- and its unique id), or its place where it has none."""

    pci: PciDevice
    uuid: str
    index: str
    model: str
    driver: str
    driver_version: str
    identity: Identity
    status: Status
    partitioning: tuple[str, str] = ("", "")
    nodes: list[Node] = field(default_factory=list)

    @property
    def labels(self) -> tuple[str, str]:
        return self.index, self.uuid

    @property
    def is_readable(self) -> bool:
        """Bound to amdgpu and awake when last looked at."""
        return self.driver == DRIVER and self.status is Status.PRESENT

    @property
    def is_apu(self) -> bool:
        return any(node.is_apu for node in self.nodes)


class Inventory:
    """The boards by PCI address. `follow` looks again."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._inodes: dict[str, int] = {}
        self._functions: dict[str, PciDevice] = {}
        self._generation: int | None = None
        self.nodes: dict[int, Node] = {}
        self.gpus: dict[str, AmdGpu] = {}

    def follow(self, reporter: str) -> None:
        """Learns which boards came, left, went to sleep or to a virtual machine, and reports them all."""
        self._follow_functions()
        generation = read_generation(self._host.roots)
        if generation is None or generation != self._generation:
            self.nodes = {node.number: node for node in read_nodes(self._host.roots)}
            self._generation = generation
        known, self.gpus = self.gpus, {}
        for address, function in self._functions.items():
            self.gpus[address] = self._look(function, known.get(address))
        devices = [device for gpu in self.gpus.values() for device in (self._device(gpu), *_partitions(gpu))]
        self._host.devices.reconcile(reporter, devices)

    def _follow_functions(self) -> None:
        inodes = list_pci(self._host.roots)
        if inodes != self._inodes:
            for address in {*inodes, *self._inodes}:
                if inodes.get(address) != self._inodes.get(address):
                    self._functions.pop(address, None)
                    function = read_amd_gpu(self._host.roots, address) if address in inodes else None
                    if function is not None:
                        self._functions[address] = function
            self._functions = dict(sorted(self._functions.items()))
            self._inodes = inodes

    def _look(self, function: PciDevice, known: AmdGpu | None) -> AmdGpu:
        driver = read_driver(function.directory)
        identity = read_identity(function.directory) if driver == DRIVER else _NOBODY
        if known is not None and known.pci is function and known.driver == driver and known.identity == identity:
            gpu = known
        else:
            gpu = self._make(function, driver, identity)
        gpu.status = read_status(function.directory, driver)
        gpu.nodes = [node for node in self.nodes.values() if node.pci_address == function.address]
        gpu.nodes.sort(key=lambda node: node.partition)
        if gpu.is_readable:
            gpu.partitioning = read_partitioning(function.directory)
        return gpu

    def _make(self, function: PciDevice, driver: str, identity: Identity) -> AmdGpu:
        uuid = self._identify(function.address, driver, identity)
        roots = self._host.roots
        model = identity.product or read_market_name(roots, function.device_id, function.revision)
        return AmdGpu(
            pci=function,
            uuid=uuid,
            index=self._index(uuid, function.address),
            model=model or f"AMD {function.device_id:04x}",
            driver=driver,
            driver_version=_driver_version(roots) if driver == DRIVER else "",
            identity=identity,
            status=Status.PRESENT,
        )

    def _identify(self, address: str, driver: str, identity: Identity) -> str:
        """Virtual functions of one board say the same. Without amdgpu it is who it was when amdgpu last had it."""
        by_place = _by_place(address)
        if driver != DRIVER:
            before = (d.id for d in self._ours().values() if d.facts.get("pci") == address)
            return next(before, by_place)
        uuid = f"GPU-{identity.unique_id}"
        taken = {gpu.uuid for gpu in self.gpus.values()}
        return uuid if identity.unique_id and uuid not in taken else by_place

    def _index(self, uuid: str, address: str) -> str:
        """Frozen at first sight, also over a reload of the driver, and for a GPU that was known by its place alone."""
        ours = self._ours()
        for known in (uuid, _by_place(address)):
            if known in ours:
                return ours[known].facts["gpu"]
        taken = {device.facts.get("gpu") for device in ours.values()} | {gpu.index for gpu in self.gpus.values()}
        return next(str(n) for n in range(len(taken) + 1) if str(n) not in taken)

    def _ours(self) -> dict[str, Device]:
        current = self._host.devices.current
        return {id_: d for id_, d in current.items() if d.kind == KIND and d.facts.get("vendor") == "AMD"}

    def _device(self, gpu: AmdGpu) -> Device:
        pci, identity, nodes = gpu.pci, gpu.identity, read_drm_nodes(self._host.roots, gpu.pci.directory)
        board = gpu.nodes[0] if gpu.nodes else None
        return Device(
            id=gpu.uuid,
            kind=KIND,
            name=f"{gpu.index} {gpu.model}",
            facts={
                "gpu": gpu.index,
                "uuid": gpu.uuid,
                "vendor": "AMD",
                "model": gpu.model,
                "pci": pci.address,
                "numa_node": "" if pci.numa_node is None else str(pci.numa_node),
                "driver": gpu.driver,
                "driver_version": gpu.driver_version,
                "vbios": identity.vbios,
                "memory": "unified" if gpu.is_apu else "dedicated",
                "serial": identity.serial,
                "part_number": identity.part_number,
                "architecture": board.architecture if board else "",
                "compute_units": str(sum(node.compute_units for node in gpu.nodes) or ""),
                "card_node": nodes.card,
                "render_node": nodes.render,
                "by_path": nodes.by_path,
                "compute_partition": gpu.partitioning[0],
                "memory_partition": gpu.partitioning[1],
                "xgmi_peers": write_peers(dict.fromkeys(sorted(self._peers(gpu)))),
                **{f"firmware_{name}": version for name, version in identity.firmware},
            },
            info=INFO,
            parent=pci.address,
            missed=True,
            status=gpu.status,
        )

    def _peers(self, gpu: AmdGpu) -> set[str]:
        """The PCI addresses of the boards that are reached over XGMI."""
        reached = {number for node in gpu.nodes for number in node.peers}
        return {self.nodes[n].pci_address for n in reached if n in self.nodes} - {gpu.pci.address}


def _by_place(address: str) -> str:
    return f"pci-{address}"


def _partitions(gpu: AmdGpu) -> list[Device]:
    """The parts of a board that is shared out; none where it is whole."""
    if len(gpu.nodes) < 2:
        return []
    return [
        Device(
            id=f"{gpu.uuid}:{node.partition}",
            kind=PARTITION_KIND,
            name=f"{gpu.index}/{node.partition} {gpu.model}",
            facts={
                "gpu": gpu.index,
                "uuid": gpu.uuid,
                "partition": str(node.partition),
                "unique_id": node.unique_id,
                "compute_partition": gpu.partitioning[0],
                "memory_partition": gpu.partitioning[1],
                "compute_units": str(node.compute_units),
                "memory_bytes": "" if node.memory_bytes is None else str(node.memory_bytes),
                "render_node": node.render and f"/dev/dri/{node.render}",
            },
            parent=gpu.uuid,
            status=gpu.status,
        )
        for node in gpu.nodes
    ]


def _driver_version(roots: RootPaths) -> str:
    """Of ROCm's own module, or of the kernel that the module came with."""
    return read_text(roots.sys("module/amdgpu/version")) or read_text(roots.proc("sys/kernel/osrelease"))
