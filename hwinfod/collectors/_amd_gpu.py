# SPDX-License-Identifier: MIT
"""One AMD GPU that is awake: its files, and what they say every second and every ten."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hwinfod.collectors import _amd_families as amd
from hwinfod.collectors import _gpu_families as families
from hwinfod.collectors._gpu_columns import Cells, GpuColumns
from hwinfod.collectors._gpu_link import BUSY_RATIO, generation, link_cells
from hwinfod.core.event import EventKind, Severity
from hwinfod.errors import ParseError, ReadError
from hwinfod.sources.amdgpu import read_bad_pages, read_clock, read_error_counts
from hwinfod.sources.amdgpu_metrics import GpuMetrics, UnknownRevision, parse_gpu_metrics
from hwinfod.sources.files import Attribute, list_directory, read_int
from hwinfod.sources.hwmon import SensorReader, read_chip

if TYPE_CHECKING:
    from hwinfod.collectors._amd_inventory import AmdGpu
    from hwinfod.core.collector import Skip
    from hwinfod.core.host import Host
    from hwinfod.core.table import Table

# What the chip calls a sensor, and what everybody does.
_SENSORS = {"mem": "memory"}
_CLOCKS = {"sclk": "graphics", "mclk": "memory", "socclk": "soc", "fclk": "fabric"}
_POWER_LIMITS = {"power1_cap_min": "minimum", "power1_cap_max": "maximum", "power1_cap_default": "default"}
_PERCENT_FILES = {"gpu_busy_percent": families.UTILIZATION, "mem_busy_percent": families.MEMORY_CONTROLLER}
_MEMORY_FILES = (
    "mem_info_vram_total", "mem_info_vram_used", "mem_info_vis_vram_total", "mem_info_vis_vram_used",
    "mem_info_gtt_total", "mem_info_gtt_used",
)  # fmt: skip
_BUSY_FILES = tuple(_PERCENT_FILES)
_MICROWATTS = 1_000_000
_PWM_MAX = 255


class GpuReader:
    """Raises nothing: what cannot be read is absent; `skip` is told of what is broken."""

    def __init__(self, host: Host, gpu: AmdGpu, tables: tuple[Table, Table], skip: Skip) -> None:
        self.gpu = gpu
        self._host = host
        self._skip = skip
        self._directory = gpu.pci.directory
        self._columns, self._facts = (GpuColumns(table) for table in tables)
        self._files = {name: Attribute(os.path.join(self._directory, name)) for name in _MEMORY_FILES + _BUSY_FILES}
        self._metrics: Attribute | None = Attribute(os.path.join(self._directory, "gpu_metrics"))
        self._table_has_link = False
        self._replays: int | None = None
        self._clocks_of_table: set[str] = set()
        self._throttle = _ThrottleClock()
        self._uncorrected: dict[str, int] = {}
        hwmon = os.path.join(self._directory, "hwmon")
        self._hwmon = os.path.join(hwmon, next(iter(list_directory(hwmon)), "none"))
        self._pwm = Attribute(os.path.join(self._hwmon, "pwm1"))
        self._chip = read_chip(host.roots, os.path.basename(self._hwmon))
        self._readers = [(sensor, SensorReader(host.roots, self._chip, sensor)) for sensor in self._chip.sensors]
        self._cap = self._read_cap()

    def release(self) -> None:
        """Gives up the columns: the GPU is gone, or sleeps."""
        self._columns.release()
        self._facts.release()

    def sample(self) -> None:
        """What a second changes."""
        cells: Cells = {}
        self._add_metrics(cells, self._read_metrics())
        self._add_sensors(cells)
        self._add_memory(cells)
        self._add_busy(cells)
        labels = self.gpu.labels
        answers = any(value is not None for value in cells.values())
        if not answers:
            self._skip(self.gpu.pci.address, "the GPU does not answer")
        if (cells.get((families.UTILIZATION, labels)) or 0) > BUSY_RATIO:
            self._host.activity.note(self.gpu.pci.address)
        cells[families.POWER_LIMIT, labels] = self._cap if answers else None
        cells[families.UP, labels] = int(answers)
        self._columns.set(cells)

    def look(self) -> None:
        """What changes seldom, or is dear to ask."""
        cells: Cells = {}
        labels = self.gpu.labels
        self._add_errors(cells)
        self._add_limits(cells)
        cells.update(link_cells(self._directory, labels, with_state=not self._table_has_link))
        self._cap = self._read_cap()
        replays = read_int(os.path.join(self._directory, "pcie_replay_count"))
        cells[families.PCIE_REPLAYS, labels] = self._replays if replays is None else replays
        for node in self.gpu.nodes if len(self.gpu.nodes) > 1 else ():
            cells[amd.PARTITION_MEMORY_LIMIT, (*labels, str(node.partition))] = node.memory_bytes
        self._facts.set({column: value for column, value in cells.items() if value is not None})

    def read_memory_used(self) -> int | None:
        """The driver's own figure, to be compared with what processes hold."""
        used = self._files["mem_info_vram_used"].read_int()
        if used is None or not self.gpu.is_apu:
            return used
        return used + (self._files["mem_info_gtt_used"].read_int() or 0)

    def _read_cap(self) -> float | None:
        microwatts = read_int(os.path.join(self._hwmon, "power1_cap"))
        return None if microwatts is None else microwatts / _MICROWATTS

    def _read_metrics(self) -> GpuMetrics | None:
        if self._metrics is None:
            return None
        try:
            return parse_gpu_metrics(self._metrics.read())
        except UnknownRevision as error:
            self._metrics = None
            self._tell_unknown(error)
        except ReadError:
            pass  # a GPU without such a table, or one that is being reset
        except ParseError as error:
            self._skip(f"{self.gpu.pci.address} gpu_metrics", error)
        return None

    def _tell_unknown(self, error: UnknownRevision) -> None:
        gpu = self.gpu
        text = f"gpu {gpu.index} {gpu.model}: {error}; energy, throttling and engines are absent"
        self._host.events.add(
            EventKind.DEVICE_CHANGED, Severity.INFO, text, device=gpu.uuid, key="gpu_metrics",
            attributes={"pci": gpu.pci.address, "reason": str(error)},
        )  # fmt: skip

    def _add_metrics(self, cells: Cells, metrics: GpuMetrics | None) -> None:
        if metrics is None:
            return
        labels = self.gpu.labels
        self._table_has_link |= metrics.pcie_width is not None
        self._replays = metrics.pcie_errors.get("replay")
        self._clocks_of_table |= metrics.clocks_hertz.keys()
        plain = {
            families.UTILIZATION: metrics.gfx_ratio,
            families.MEMORY_CONTROLLER: metrics.memory_ratio,
            families.POWER: metrics.socket_watts,
            families.ENERGY: metrics.energy_joules,
            families.PCIE_WIDTH: metrics.pcie_width,
            families.PCIE_GENERATION: generation(metrics.pcie_gigatransfers_per_second),
        }
        cells.update(((metric, labels), value) for metric, value in plain.items() if value is not None)
        throttled, seconds = self._throttle.update(metrics, self._host.clock.monotonic())
        for family, values in (
            (families.ENGINE, metrics.engines),
            (families.TEMPERATURE, metrics.temperatures_celsius),
            (families.CLOCK, metrics.clocks_hertz),
            (families.THROTTLED, throttled),
            (families.THROTTLE_SECONDS, seconds),
            (amd.XGMI_RECEIVE, metrics.xgmi_read_bytes),
            (amd.XGMI_TRANSMIT, metrics.xgmi_write_bytes),
            (amd.XGMI_LINKS, metrics.xgmi_links),
            (amd.PCIE_ERRORS, metrics.pcie_errors),
        ):
            cells.update(((family, (*labels, str(name))), value) for name, value in values.items())
        if len(metrics.partitions) > 1:
            for number, partition in enumerate(metrics.partitions):
                cells[amd.PARTITION_UTILIZATION, (*labels, str(number))] = partition.gfx_ratio

    def _add_sensors(self, cells: Cells) -> None:
        """The chip's own sensors are finer than the whole degrees and watts of the table."""
        labels = self.gpu.labels
        for sensor, reader in self._readers:
            try:
                value = reader.read()
            except (ReadError, ParseError):
                continue
            if sensor.quantity == "temp" and sensor.label:
                cells[families.TEMPERATURE, (*labels, _SENSORS.get(sensor.label, sensor.label))] = value
            elif sensor.channel == "power1":
                cells[families.POWER, labels] = value
                if sensor.attribute == "average":
                    cells[families.POWER_AVERAGE, labels] = value
        speed = self._pwm.read_int()
        if speed is not None:
            cells[families.FAN, labels] = round(min(speed / _PWM_MAX, 1.0), 3)

    def _add_memory(self, cells: Cells) -> None:
        labels = self.gpu.labels
        size, used, seen_size, seen, host_size, host_used = (self._files[name].read_int() for name in _MEMORY_FILES)
        if self.gpu.is_apu and None not in (size, used, host_size, host_used):
            size, used = (size or 0) + (host_size or 0), (used or 0) + (host_used or 0)
        plain = {
            families.MEMORY_LIMIT: size,
            families.MEMORY_USAGE: used,
            families.APERTURE_LIMIT: seen_size,
            families.APERTURE_USAGE: seen,
            amd.HOST_MEMORY_LIMIT: host_size,
            amd.HOST_MEMORY_USAGE: host_used,
        }
        cells.update(((metric, labels), value) for metric, value in plain.items() if value is not None)

    def _add_busy(self, cells: Cells) -> None:
        """Asked of the GPU only where the table did not say."""
        for name, metric in _PERCENT_FILES.items():
            column = (metric, self.gpu.labels)
            if column not in cells:
                percent = self._files[name].read_int()
                if percent is not None and 0 <= percent <= 100:
                    cells[column] = percent / 100

    def _add_errors(self, cells: Cells) -> None:
        labels = self.gpu.labels
        try:
            for block, counts in read_error_counts(self._directory).items():
                cells.update(((families.ECC, (*labels, kind, block)), count) for kind, count in counts.items())
                self._tell_errors(block, counts.get("uncorrected", 0))
            for state, count in read_bad_pages(self._directory).items():
                cells[families.PAGES_RETIRED, (*labels, state)] = count
        except ParseError as error:
            self._skip(f"{self.gpu.pci.address} errors", error)

    def _tell_errors(self, block: str, count: int) -> None:
        """Those from before the first look are in the counter, and no event."""
        new, self._uncorrected[block] = count - self._uncorrected.get(block, count), count
        if new > 0:
            gpu = self.gpu
            self._host.events.add_amounts(
                EventKind.MEMORY_ERROR, Severity.CRITICAL, {"errors": new},
                lambda rise: f"gpu {gpu.index} {gpu.model}: {rise['errors']} uncorrected errors in {block}",
                device=gpu.uuid, key=block, attributes={"pci": gpu.pci.address, "block": block},
            )  # fmt: skip

    def _add_limits(self, cells: Cells) -> None:
        labels = self.gpu.labels
        for name, limit in _POWER_LIMITS.items():
            microwatts = read_int(os.path.join(self._hwmon, name))
            if microwatts is not None:
                cells[families.POWER_LIMITS, (*labels, limit)] = microwatts / _MICROWATTS
        for sensor in self._chip.sensors:
            if sensor.quantity == "temp":
                where = _SENSORS.get(sensor.label, sensor.label)
                for meaning, value in sensor.limits:
                    cells[families.TEMPERATURE_LIMIT, (*labels, f"{where}_{meaning}")] = value
        for name, clock in _CLOCKS.items():
            known = read_clock(self._directory, name)
            if known.levels:
                cells[families.CLOCK_LIMIT, (*labels, clock)] = known.levels[-1]
            if known.current is not None and clock not in self._clocks_of_table:
                cells[families.CLOCK, (*labels, clock)] = known.current


class _ThrottleClock:
    """Seconds for which clocks were held down, out of the table's own ticks."""

    def __init__(self) -> None:
        self._before: tuple[int, float, dict[str, int]] | None = None
        self._seconds: dict[str, float] = {}

    def update(self, metrics: GpuMetrics, now: float) -> tuple[dict[str, int], dict[str, float]]:
        """Whether each reason holds now, and for how long it ever did since the first look. A reason counts for that
        part of the time since the last look by which its ticks grew with all ticks."""
        throttled = {reason: int(holds) for reason, holds in metrics.throttled.items()}
        ticks, before = metrics.accumulation_ticks, self._before
        if ticks is None:
            return throttled, {}
        residency = dict(metrics.residency_ticks)
        self._before = (ticks, now, residency)
        grown = 0 if before is None else ticks - before[0]
        for reason, value in residency.items():
            seconds = self._seconds.setdefault(reason, 0.0)
            held = 0 if before is None else value - before[2].get(reason, value)
            if before is not None and grown > 0 and held >= 0:
                self._seconds[reason] = round(seconds + min(held / grown, 1.0) * (now - before[1]), 3)
                throttled[reason] = int(held > 0)
        return throttled, dict(self._seconds)
