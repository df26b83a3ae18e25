# SPDX-License-Identifier: MIT
"""What happens to NVIDIA GPUs: Xid and ECC errors, by NVML's events and by the kernel's log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._nvidia_event_families import CHECKS, METRICS
from hwinfod.collectors.nvidia import LIBRARY_ROOTS
from hwinfod.core.collector import Collector, beat
from hwinfod.errors import Absent
from hwinfod.sources.nvml_library import has_driver, list_gpus_on_pci

if TYPE_CHECKING:
    from hwinfod.collectors._nvidia_event_reader import EventReader

__all__ = ["CHECKS", "METRICS", "NvidiaEvents"]


class NvidiaEvents(Collector):
    name = "nvidia_events"
    summary = "Xid and ECC errors of NVIDIA GPUs, as they happen"
    lane = "nvidia events"
    subsystems = frozenset({"drm", "module", "pci"})

    def open(self) -> None:
        if not has_driver(self.roots) and not list_gpus_on_pci(self.roots):
            raise Absent("no NVIDIA driver and no NVIDIA GPU", told=True)
        from hwinfod.collectors._nvidia_event_reader import EventReader

        places = self.context.settings[LIBRARY_ROOTS]
        self.reader: EventReader = EventReader(self, places)
        self.host.hold.subscribe(self.name, lambda: self.context.command(self.reader.let_go))

    def close(self) -> None:
        self.reader.close()
        self.host.hold.unsubscribe(self.name)

    @beat(seconds=1)
    def sample(self) -> None:
        self.reader.sample()
