# SPDX-License-Identifier: MIT
"""The GPUs of a host that only DRM tells of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._drm_gpu import GpuReader
from hwinfod.collectors._drm_inventory import DrmGpu, Inventory
from hwinfod.collectors._drm_shares import DeviceUse, holdings
from hwinfod.collectors._gpu_fleet import Fleet
from hwinfod.collectors._gpu_link import BUSY_RATIO
from hwinfod.core.holding import Batch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.collectors._drm_scan import Pass
    from hwinfod.core.collector import Collector


class DrmFleet(Fleet[DrmGpu, GpuReader]):
    def __init__(self, collector: Collector, inventory: Inventory) -> None:
        self._inventory = inventory
        super().__init__(collector)

    def list_gpus(self) -> Mapping[str, DrmGpu]:
        self._inventory.look()
        self._inventory.report(self.collector.name)
        return self._inventory.gpus

    def open_gpu(self, gpu: DrmGpu) -> GpuReader:
        return GpuReader(self.host, gpu, self.collector.tables)

    def hold(self) -> None:
        """By the last complete pass over the clients; the next one begins."""
        self.clients.begin()
        self.clients.work()
        found = self.clients.latest
        if found is None:
            return
        for reader in self.readers.values():
            use = self.clients.uses.get(reader.gpu.pci.address, DeviceUse())
            reader.show(use)
            self._publish(reader.gpu, use, found)

    def _publish(self, gpu: DrmGpu, use: DeviceUse, found: Pass) -> None:
        """Without totals: no driver of these tells what all of its memory is used for."""
        held = holdings(use, unified=gpu.is_unified)
        self.publish(Batch(gpu.uuid, found.begun_boottime_ns, {}, held))
        if use.engines and max(use.engines.values()) > BUSY_RATIO:
            self.host.activity.note(gpu.pci.address)
