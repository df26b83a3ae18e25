# SPDX-License-Identifier: MIT
"""The AMD GPUs of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._amd_gpu import GpuReader
from hwinfod.collectors._amd_inventory import AmdGpu, Inventory
from hwinfod.collectors._amd_processes import Processes
from hwinfod.collectors._gpu_fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.collector import Collector


class AmdFleet(Fleet[AmdGpu, GpuReader]):
    def __init__(self, collector: Collector) -> None:
        self._inventory = Inventory(collector.host)
        self._processes = Processes(collector.host, collector.tables["processes"], self.publish)
        super().__init__(collector)

    def list_gpus(self) -> Mapping[str, AmdGpu]:
        self._inventory.follow(self.collector.name)
        return self._inventory.gpus

    def open_gpu(self, gpu: AmdGpu) -> GpuReader:
        tables = self.collector.tables
        return GpuReader(self.host, gpu, (tables["sample"], tables["facts"]), self.collector.skip)

    def hold(self) -> None:
        """Those who compute are known by KFD, the others by DRM's latest pass. What sleeps has no users."""
        self.clients.begin()
        self.clients.work()
        self.collector.step("list KFD processes")
        self._processes.scan({reader.gpu: reader.read_memory_used for reader in self.awake()}, self.clients.uses)
