# SPDX-License-Identifier: MIT
"""GPUs that were here and are not: they stay in the inventory, and are told to be down until they come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._gpu_columns import GpuColumns
from hwinfod.collectors._gpu_families import UP
from hwinfod.core.device import Status

if TYPE_CHECKING:
    from hwinfod.core.host import Host
    from hwinfod.core.table import Table


class LostGpus:
    """Those that one collector reported. `follow` after the inventory was reported, `fill` every tick."""

    def __init__(self, host: Host, table: Table, reporter: str) -> None:
        self._host = host
        self._table = table
        self._reporter = reporter
        self._lost: dict[tuple[str, str], GpuColumns] = {}

    def follow(self) -> None:
        """A GPU that is there under another name (its driver came, and knows better) is not lost."""
        devices = self._host.devices
        ours = [d for d in devices.current.values() if d.kind == "gpu" and devices.reporter(d.id) == self._reporter]
        places = {device.facts["pci"] for device in ours if device.status is not Status.LOST}
        lost = {
            (device.facts["gpu"], device.facts["uuid"])
            for device in ours
            if device.status is Status.LOST and device.facts["pci"] not in places
        }
        for labels in [labels for labels in self._lost if labels not in lost]:
            self._lost.pop(labels).release()
        for labels in lost - self._lost.keys():
            self._lost[labels] = GpuColumns(self._table)

    def fill(self) -> None:
        for labels, columns in self._lost.items():
            columns.set({(UP, labels): 0})
