# SPDX-License-Identifier: MIT
"""AMD GPUs, by sysfs, KFD and the firmware's own table: no ROCm is needed.

This file is what every host loads; what reads AMD GPUs is imported where there are some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._amd_families import CHECKS, METRICS
from hwinfod.collectors._gpu_collector import GpuCollector
from hwinfod.errors import Absent
from hwinfod.sources.pci import AMD, list_gpus

if TYPE_CHECKING:
    from hwinfod.collectors._amd_fleet import AmdFleet

__all__ = ["CHECKS", "METRICS", "Amd"]


class Amd(GpuCollector):
    name = "amd"
    summary = "AMD GPUs: load, memory, power, temperatures, errors, partitions and who uses them"
    lane = "amd"
    subsystems = frozenset({"drm", "kfd", "module", "pci"})

    def find(self) -> AmdFleet:
        if AMD not in list_gpus(self.roots).values():
            raise Absent("no AMD GPUs")
        from hwinfod.collectors._amd_fleet import AmdFleet

        return AmdFleet(self)
