# SPDX-License-Identifier: MIT
"""GPUs that only their DRM driver tells of: Intel's (i915, xe), and NVIDIA's under nouveau.

This file is what every host loads; what reads such GPUs is imported where there are some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._drm_families import CHECKS, METRICS
from hwinfod.core.collector import Collector, beat
from hwinfod.errors import Absent
from hwinfod.sources.pci import list_pci

if TYPE_CHECKING:
    from hwinfod.collectors._drm_reader import Reader

__all__ = ["CHECKS", "METRICS", "Drm"]


class Drm(Collector):
    name = "drm"
    summary = "GPUs of Intel and others by DRM: engines, clocks, energy and who uses them"
    lane = "drm"

    def open(self) -> None:
        if not list_pci(self.roots):
            raise Absent("no PCI devices")
        from hwinfod.collectors._drm_inventory import Inventory

        inventory = Inventory(self.host)
        if not inventory.look():
            raise Absent("no GPU that only DRM tells of")
        from hwinfod.collectors._drm_reader import Reader

        self.reader: Reader = Reader(self, inventory)

    def close(self) -> None:
        self.reader.close()

    @beat(seconds=1)
    def sample(self) -> None:
        self.reader.sample()

    @beat(seconds=10)
    def facts(self) -> None:
        """What changes seldom, and which GPUs there are."""
        self.reader.follow()

    @beat(seconds=5)
    def processes(self) -> None:
        """A pass over all processes that takes more than its share of this tick goes on in those of `sample`."""
        self.reader.hold()
