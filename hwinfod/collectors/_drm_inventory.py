# SPDX-License-Identifier: MIT
"""Which GPUs are known by DRM alone, by their place on the PCI bus: they have no other name of their own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.collectors._gpu_families import INFO
from hwinfod.collectors._pci_status import read_status
from hwinfod.core.device import Device, Status
from hwinfod.sources.drm_nodes import read_drm_nodes
from hwinfod.sources.files import read_int, read_text
from hwinfod.sources.intel_gpu import read_memory_bytes
from hwinfod.sources.pci import INTEL, NVIDIA, list_pci, read_driver, read_pci

if TYPE_CHECKING:
    from hwinfod.core.host import Host
    from hwinfod.sources.pci import PciDevice

_VENDORS = {INTEL: "Intel", NVIDIA: "NVIDIA"}
_NOUVEAU = "nouveau"


@dataclass(slots=True, eq=False)
class DrmGpu:
    """One GPU. `is_unified`: it has no memory of its own."""

    pci: PciDevice
    index: str
    driver: str
    status: Status
    memory_bytes: int | None
    is_unified: bool

    @property
    def uuid(self) -> str:
        return f"pci-{self.pci.address}"

    @property
    def labels(self) -> tuple[str, str]:
        return self.index, self.uuid

    @property
    def is_readable(self) -> bool:
        return self.driver != "" and self.status is Status.PRESENT


class Inventory:
    """The GPUs by PCI address."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._inodes: dict[str, int] = {}
        self._functions: dict[str, PciDevice] = {}
        self.gpus: dict[str, DrmGpu] = {}

    def look(self) -> bool:
        """Learns which there are; whether there are any. A GPU that is the same as before is the same object."""
        self._follow_functions()
        known, self.gpus = self.gpus, {}
        for address, function in self._functions.items():
            driver = read_driver(function.directory)
            if function.vendor_id != INTEL and driver != _NOUVEAU:
                continue
            before = known.get(address)
            if before is None or before.pci is not function or before.driver != driver:
                before = self._make(function, driver)
            before.status = read_status(function.directory, driver)
            self.gpus[address] = before
        return bool(self.gpus)

    def report(self, reporter: str) -> None:
        self._host.devices.reconcile(reporter, [self._device(gpu) for gpu in self.gpus.values()])

    def _follow_functions(self) -> None:
        roots, inodes = self._host.roots, list_pci(self._host.roots)
        for address in {*inodes, *self._inodes}:
            if inodes.get(address) == self._inodes.get(address):
                continue
            self._functions.pop(address, None)
            if address in inodes and read_int(roots.sys("bus/pci/devices", address, "vendor")) in _VENDORS:
                function = read_pci(roots, address, {})
                if function is not None and function.kind == "gpu":
                    self._functions[address] = function
        self._functions = dict(sorted(self._functions.items()))
        self._inodes = inodes

    def _make(self, function: PciDevice, driver: str) -> DrmGpu:
        """An integrated GPU stands on the root bus; all others have memory of their own."""
        parent = os.path.basename(os.path.dirname(function.directory))
        return DrmGpu(
            pci=function,
            index=self._index(function),
            driver=driver,
            status=Status.PRESENT,
            memory_bytes=read_memory_bytes(function.directory),
            is_unified=parent.startswith("pci"),
        )

    def _index(self, function: PciDevice) -> str:
        """Frozen at first sight. Counted by vendor, as each vendor's own tools do."""
        vendor = _VENDORS[function.vendor_id]
        ours = [d for d in self._host.devices.current.values() if d.kind == "gpu" and d.facts.get("vendor") == vendor]
        for device in ours:
            if device.id == f"pci-{function.address}":
                return device.facts["gpu"]
        taken = {device.facts.get("gpu") for device in ours}
        taken |= {gpu.index for gpu in self.gpus.values() if gpu.pci.vendor_id == function.vendor_id}
        return next(str(n) for n in range(len(taken) + 1) if str(n) not in taken)

    def _device(self, gpu: DrmGpu) -> Device:
        pci, nodes = gpu.pci, read_drm_nodes(self._host.roots, gpu.pci.directory)
        vendor = _VENDORS[pci.vendor_id]
        return Device(
            id=gpu.uuid,
            kind="gpu",
            name=f"{gpu.index} {vendor} {pci.device_id:04x}",
            facts={
                "gpu": gpu.index,
                "uuid": gpu.uuid,
                "vendor": vendor,
                "model": f"{vendor} {pci.device_id:04x}",
                "pci": pci.address,
                "numa_node": "" if pci.numa_node is None else str(pci.numa_node),
                "driver": gpu.driver,
                "driver_version": read_text(self._host.roots.proc("sys/kernel/osrelease")) if gpu.driver else "",
                "memory": "unified" if gpu.is_unified else "dedicated",
                "card_node": nodes.card,
                "render_node": nodes.render,
                "by_path": nodes.by_path,
            },
            info=INFO,
            parent=pci.address,
            missed=True,
            status=gpu.status,
        )
