# SPDX-License-Identifier: MIT
"""What ROCm's library knows of AMD GPUs and amdgpu's files do not. A lane of its own: it takes 100 ms a GPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from hwinfod.collectors._gpu_columns import Cells, GpuColumns
from hwinfod.collectors._gpu_families import ECC, LABELS, gauge
from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Status
from hwinfod.core.metric import Kind, Metric
from hwinfod.errors import Absent
from hwinfod.sources.files import list_directory

if TYPE_CHECKING:
    from hwinfod.core.device import Device
    from hwinfod.sources.amdsmi import BoardReading, Library

_RETRY_SECONDS = 600.0

VIOLATION = gauge(
    "hw_gpu_violation_ratio",
    "Share of the time in which a limit of power or temperature was in force.",
    "AMD SMI amdsmi_get_violation_status",
    unit="ratio",
    labels=("violation",),
    detailed=True,
)
XGMI_ERRORS = Metric(
    name="hw_gpu_xgmi_error_state",
    kind=Kind.STATE,
    help="Whether the links to other AMD GPUs had errors since that was last reset.",
    source="AMD SMI amdsmi_gpu_xgmi_error_status",
    labels=LABELS,
    states=("none", "one", "several"),
)

__all__ = ["ECC", "VIOLATION", "XGMI_ERRORS", "AmdSmi"]


class AmdSmi(Collector):
    name = "amdsmi"
    summary = (
        "AMD GPUs by ROCm's library, where it is installed: violations, XGMI errors, ECC where the driver has none"
    )
    lane = "amdsmi"
    subsystems = frozenset({"drm", "kfd", "module", "pci"})

    # A library that did not fit does not fit ten seconds later: importing it costs 50 ms each time.
    refused: ClassVar[tuple[float, str] | None] = None

    def open(self) -> None:
        if not os.path.isdir(self.roots.sys("bus/pci/drivers/amdgpu")):
            raise Absent("amdgpu is not loaded")
        if not self._boards():
            raise Absent("no AMD GPU has been reported yet")
        now, refused = self.host.clock.monotonic(), AmdSmi.refused
        if refused is not None and now - refused[0] < _RETRY_SECONDS:
            raise Absent(refused[1])
        from hwinfod.sources.amdsmi import Library

        self.step("import amdsmi")
        try:
            self.library: Library = Library()
        except Absent as error:
            AmdSmi.refused = (now, str(error))
            raise
        self.columns: dict[str, GpuColumns] = {}

    @beat(seconds=60)
    def sample(self) -> None:
        """The library opens all GPUs, and would wake one that sleeps: then it is left alone."""
        boards = self._boards()
        if any(device.status is Status.SUSPENDED for device in boards.values()):
            return
        self.step("read AMD SMI")
        found = self.library.read()
        for address, reading in found.items():
            device = boards.get(address)
            if device is not None and device.status is Status.PRESENT:
                columns = self.columns.setdefault(device.id, GpuColumns(self.table))
                columns.set(self._cells(device, address, reading))

    def _boards(self) -> dict[str, Device]:
        """As the collector of AMD GPUs has reported them, by PCI address."""
        current = self.host.devices.current.values()
        return {
            device.facts.get("pci", ""): device
            for device in current
            if device.kind == "gpu" and device.facts.get("vendor") == "AMD" and device.status is not Status.LOST
        }

    def _cells(self, device: Device, address: str, reading: BoardReading) -> Cells:
        """Error counts only where the driver's own files have none: they are the same."""
        labels = (device.facts["gpu"], device.facts["uuid"])
        cells: Cells = {}
        cells.update(((VIOLATION, (*labels, name)), share) for name, share in reading.violations.items())
        if reading.xgmi_errors is not None:
            cells[XGMI_ERRORS, labels] = reading.xgmi_errors
        ras = self.roots.sys("bus/pci/devices", address, "ras")
        if not any(name.endswith("_err_count") for name in list_directory(os.path.realpath(ras))):
            for block, counts in reading.errors.items():
                cells.update(((ECC, (*labels, kind, block)), count) for kind, count in counts.items())
        return cells
