# SPDX-License-Identifier: MIT
"""One GPU that DRM tells of, awake: its files, and what its clients use of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hwinfod.collectors import _drm_families as drm
from hwinfod.collectors import _gpu_families as families
from hwinfod.collectors._gpu_columns import Cells, GpuColumns
from hwinfod.collectors._gpu_link import link_cells
from hwinfod.errors import ParseError, ReadError
from hwinfod.sources.files import Attribute, list_directory, read_int
from hwinfod.sources.hwmon import SensorReader, read_chip
from hwinfod.sources.intel_gpu import find_gts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.collectors._drm_inventory import DrmGpu
    from hwinfod.collectors._drm_shares import DeviceUse
    from hwinfod.core.host import Host
    from hwinfod.core.table import Table

_MICRO = 1_000_000


class GpuReader:
    """Raises nothing: what cannot be read is absent."""

    def __init__(self, host: Host, gpu: DrmGpu, tables: Mapping[str, Table]) -> None:
        self.gpu = gpu
        self._sample, self._facts, self._processes = (
            GpuColumns(tables[name]) for name in ("sample", "facts", "processes")
        )
        self._gts = find_gts(gpu.pci.directory)
        hwmon = os.path.join(gpu.pci.directory, "hwmon")
        self._hwmon = os.path.join(hwmon, next(iter(list_directory(hwmon)), "none"))
        chip = read_chip(host.roots, os.path.basename(self._hwmon))
        self._energy = Attribute(os.path.join(self._hwmon, "energy1_input"))
        self._temperatures = [
            (sensor.label or sensor.channel, SensorReader(host.roots, chip, sensor))
            for sensor in chip.sensors
            if sensor.quantity == "temp"
        ]

    def release(self) -> None:
        for columns in (self._sample, self._facts, self._processes):
            columns.release()

    def sample(self) -> None:
        """What a second changes. A part that sleeps has clock 0."""
        labels = self.gpu.labels
        cells: Cells = {(families.UP, labels): int(os.path.isdir(self.gpu.pci.directory))}
        throttled: dict[str, bool] = {}
        for gt in self._gts:
            values = gt.read()
            if values.clock_hertz is not None:
                cells[families.CLOCK, (*labels, gt.name)] = values.clock_hertz
            if values.asleep_seconds is not None:
                cells[drm.ASLEEP, (*labels, gt.name)] = values.asleep_seconds
            for reason, holds in values.throttled.items():
                throttled[reason] = throttled.get(reason, False) or holds
        cells.update(((families.THROTTLED, (*labels, reason)), int(holds)) for reason, holds in throttled.items())
        microjoules = self._energy.read_int()
        if microjoules is not None:
            cells[families.ENERGY, labels] = microjoules / _MICRO
        for sensor, reader in self._temperatures:
            try:
                cells[families.TEMPERATURE, (*labels, sensor)] = reader.read()
            except (ReadError, ParseError):
                continue
        self._sample.set(cells)

    def look(self) -> None:
        """What changes seldom."""
        labels = self.gpu.labels
        cells: Cells = {(families.MEMORY_LIMIT, labels): self.gpu.memory_bytes}
        microwatts = read_int(os.path.join(self._hwmon, "power1_max"))
        cells[families.POWER_LIMIT, labels] = microwatts / _MICRO if microwatts else None
        cells.update(((families.CLOCK_LIMIT, (*labels, gt.name)), gt.limit_hertz) for gt in self._gts)
        cells.update(link_cells(self.gpu.pci.directory, labels))
        self._facts.set({column: value for column, value in cells.items() if value is not None})

    def show(self, use: DeviceUse) -> None:
        """What its clients use. The busiest engine stands for the GPU."""
        labels = self.gpu.labels
        cells: Cells = {(families.PROCESSES, labels): len(use.processes)}
        cells.update(((families.ENGINE, (*labels, engine)), share) for engine, share in use.engines.items())
        if use.engines:
            cells[families.UTILIZATION, labels] = max(use.engines.values())
        self._processes.set(cells)
