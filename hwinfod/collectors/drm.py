# SPDX-License-Identifier: MIT
"""GPUs that only their DRM driver tells of: Intel's (i915, xe), and NVIDIA's under nouveau.

This file is what every host loads; what reads such GPUs is imported where there are some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._drm_families import CHECKS, METRICS
from hwinfod.collectors._gpu_collector import GpuCollector
from hwinfod.errors import Absent
from hwinfod.sources.pci import INTEL, NVIDIA, list_gpus

if TYPE_CHECKING:
    from hwinfod.collectors._drm_fleet import DrmFleet

__all__ = ["CHECKS", "METRICS", "Drm"]


class Drm(GpuCollector):
    name = "drm"
    summary = "GPUs of Intel and others by DRM: engines, clocks, energy and who uses them"
    lane = "drm"
    subsystems = frozenset({"drm", "module", "pci"})

    def find(self) -> DrmFleet:
        absent = Absent("no GPU that only DRM tells of")
        if not {INTEL, NVIDIA} & set(list_gpus(self.roots).values()):
            raise absent
        from hwinfod.collectors._drm_inventory import Inventory

        inventory = Inventory(self.host)
        if not inventory.look():
            raise absent
        from hwinfod.collectors._drm_fleet import DrmFleet

        return DrmFleet(self, inventory)
