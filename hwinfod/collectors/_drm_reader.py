# SPDX-License-Identifier: MIT
"""All GPUs that only DRM tells of, together: which are read, when, and who uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._drm_clients import Clients
from hwinfod.collectors._drm_gpu import GpuReader
from hwinfod.collectors._drm_shares import DeviceUse, holdings
from hwinfod.collectors._gpu_lost import LostGpus
from hwinfod.core.holding import Batch
from hwinfod.sources.pci import read_is_suspended

if TYPE_CHECKING:
    from hwinfod.collectors._drm_inventory import DrmGpu, Inventory
    from hwinfod.collectors._drm_scan import Pass
    from hwinfod.core.collector import Collector


class Reader:
    """The collector's work, beat by beat."""

    def __init__(self, collector: Collector, inventory: Inventory) -> None:
        self._collector = collector
        self._host = collector.host
        self._inventory = inventory
        self._tables = collector.tables
        self._gpus: dict[str, GpuReader] = {}
        self._clients = Clients(collector)
        self._lost = LostGpus(self._host, collector.tables["sample"], collector.name)
        self._published: set[str] = set()
        self._follow()

    def close(self) -> None:
        self._withdraw(set(self._published))

    def sample(self) -> None:
        for reader in self._awake():
            self._collector.step(f"read {reader.gpu.pci.address}")
            reader.sample()
        self._lost.fill()
        self._clients.work()

    def follow(self) -> None:
        self._collector.step("list GPUs")
        self._inventory.look()
        self._follow()
        for reader in self._awake():
            self._collector.step(f"look at {reader.gpu.pci.address}")
            reader.look()

    def hold(self) -> None:
        """The last complete pass over the clients, and the begin of the next."""
        self._clients.begin()
        self._clients.work()
        found = self._clients.latest
        if found is None:
            return
        for reader in self._gpus.values():
            use = self._clients.uses.get(reader.gpu.pci.address, DeviceUse())
            reader.show(use)
            self._publish(reader.gpu, use, found)

    def _publish(self, gpu: DrmGpu, use: DeviceUse, found: Pass) -> None:
        """Without totals: no driver of these tells what all of its memory is used for."""
        held = holdings(use, unified=gpu.is_unified)
        self._host.holdings.publish(Batch(gpu.uuid, found.begun_boottime_ns, {}, held))
        self._published.add(gpu.uuid)
        if use.engines and max(use.engines.values()) > 0:
            self._host.activity.note(gpu.pci.address)

    def _awake(self) -> list[GpuReader]:
        return [reader for reader in self._gpus.values() if not read_is_suspended(reader.gpu.pci.directory)]

    def _follow(self) -> None:
        self._inventory.report(self._collector.name)
        self._lost.follow()
        gpus = self._inventory.gpus
        for address, reader in list(self._gpus.items()):
            if gpus.get(address) is not reader.gpu or not reader.gpu.is_readable:
                self._gpus.pop(address).release()
        for address, gpu in gpus.items():
            if address not in self._gpus and gpu.is_readable:
                self._gpus[address] = GpuReader(self._host, gpu, self._tables)
        self._withdraw(self._published - {reader.gpu.uuid for reader in self._gpus.values()})

    def _withdraw(self, devices: set[str]) -> None:
        for device in devices:
            self._host.holdings.withdraw(device)
        self._published -= devices
