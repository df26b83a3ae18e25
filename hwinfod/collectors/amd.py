# SPDX-License-Identifier: MIT
"""AMD GPUs, by sysfs, KFD and the firmware's own table: no ROCm is needed.

This file is what every host loads; what reads AMD GPUs is imported where there are some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._amd_families import CHECKS, METRICS
from hwinfod.core.collector import Collector, beat
from hwinfod.errors import Absent
from hwinfod.sources.pci import list_pci

if TYPE_CHECKING:
    from hwinfod.collectors._amd_reader import Reader

__all__ = ["CHECKS", "METRICS", "Amd"]


class Amd(Collector):
    name = "amd"
    summary = "AMD GPUs: load, memory, power, temperatures, errors, partitions and who uses them"
    lane = "amd"

    def open(self) -> None:
        if not list_pci(self.roots):
            raise Absent("no PCI devices")
        from hwinfod.sources.amdgpu import has_amd_gpu

        if not has_amd_gpu(self.roots):
            raise Absent("no AMD GPUs")
        from hwinfod.collectors._amd_reader import Reader

        self.reader: Reader = Reader(self)

    def close(self) -> None:
        self.reader.close()

    @beat(seconds=1)
    def sample(self) -> None:
        self.reader.sample()

    @beat(seconds=10)
    def facts(self) -> None:
        """What changes seldom: errors, limits, and which GPUs there are."""
        self.reader.follow()

    @beat(seconds=5)
    def processes(self) -> None:
        self.reader.hold()
