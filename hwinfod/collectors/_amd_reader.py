# SPDX-License-Identifier: MIT
"""All AMD GPUs together: which of them are read, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._amd_gpu import GpuReader
from hwinfod.collectors._amd_inventory import Inventory
from hwinfod.collectors._amd_processes import Processes
from hwinfod.collectors._drm_clients import Clients
from hwinfod.collectors._gpu_lost import LostGpus
from hwinfod.sources.pci import read_is_suspended

if TYPE_CHECKING:
    from hwinfod.collectors._amd_inventory import AmdGpu
    from hwinfod.core.collector import Collector


class Reader:
    """The collector's work, beat by beat."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._host = collector.host
        self._tables = (collector.tables["sample"], collector.tables["facts"])
        self._inventory = Inventory(self._host)
        self._gpus: dict[str, GpuReader] = {}
        self._processes = Processes(self._host, collector.tables["processes"])
        self._clients = Clients(collector)
        self._lost = LostGpus(self._host, collector.tables["sample"], collector.name)
        self._follow()

    def close(self) -> None:
        self._processes.withdraw(())

    def sample(self) -> None:
        for reader in self._awake():
            self._collector.step(f"read {reader.gpu.pci.address}")
            reader.sample()
        self._lost.fill()
        self._clients.work()

    def follow(self) -> None:
        """Looks which GPUs there are, and at what changes seldom."""
        self._follow()
        for reader in self._awake():
            self._collector.step(f"look at {reader.gpu.pci.address}")
            reader.look()

    def hold(self) -> None:
        """Who uses which GPU: those who compute by KFD, the others by DRM's latest pass. What sleeps has no users."""
        self._clients.begin()
        self._clients.work()
        self._collector.step("list KFD processes")
        self._processes.scan({reader.gpu: reader.read_memory_used for reader in self._awake()}, self._clients.uses)

    def _awake(self) -> list[GpuReader]:
        return [reader for reader in self._gpus.values() if not read_is_suspended(reader.gpu.pci.directory)]

    def _follow(self) -> None:
        self._collector.step("list GPUs")
        self._inventory.follow(self._collector.name)
        self._lost.follow()
        gpus = self._inventory.gpus
        for address, reader in list(self._gpus.items()):
            if gpus.get(address) is not reader.gpu or not reader.gpu.is_readable:
                self._gpus.pop(address).release()
        for address, gpu in gpus.items():
            if address not in self._gpus and gpu.is_readable:
                self._gpus[address] = self._open(gpu)
        self._processes.withdraw(reader.gpu.uuid for reader in self._gpus.values())

    def _open(self, gpu: AmdGpu) -> GpuReader:
        self._collector.step(f"open {gpu.pci.address}")
        return GpuReader(self._host, gpu, self._tables, self._collector.skip)
