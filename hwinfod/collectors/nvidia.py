# SPDX-License-Identifier: MIT
"""NVIDIA GPUs through NVML.

This file is what every host loads; what reads GPUs, and NVIDIA's bindings, are imported where there are some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors import _gpu_families, _nvidia_families
from hwinfod.core.collector import Collector, beat
from hwinfod.errors import Absent
from hwinfod.settings import ListOf, Setting, Text
from hwinfod.sources.nvml_library import PLACES, has_driver, list_gpus_on_pci

if TYPE_CHECKING:
    from hwinfod.collectors._nvidia_reader import Reader

METRICS = (*_gpu_families.METRICS, *_nvidia_families.METRICS)
CHECKS = (*_gpu_families.CHECKS, *_nvidia_families.CHECKS)

LIBRARY_ROOTS = Setting(
    "nvidia.library_roots",
    ListOf(Text()),
    PLACES,
    "Directories to look for libnvidia-ml.so.1 in, the first one wins; `loader` is where the dynamic loader looks.",
)


class Nvidia(Collector):
    name = "nvidia"
    summary = "NVIDIA GPUs: load, memory, power, temperatures, errors, NVLink, MIG and who uses them"
    lane = "nvidia"
    subsystems = frozenset({"drm", "module", "pci"})
    settings = (LIBRARY_ROOTS,)

    def open(self) -> None:
        if not has_driver(self.roots) and not list_gpus_on_pci(self.roots):
            raise Absent("no NVIDIA driver and no NVIDIA GPU")
        from hwinfod.collectors._nvidia_reader import Reader

        places = self.context.settings[LIBRARY_ROOTS]
        self.reader: Reader = Reader(self, places)
        self.host.hold.subscribe(self.name, lambda: self.context.command(self.reader.let_go))

    def close(self) -> None:
        self.reader.disconnect()
        self.host.hold.unsubscribe(self.name)

    @beat(seconds=1)
    def sample(self) -> None:
        self.reader.sample()

    @beat(seconds=5)
    def links(self) -> None:
        self.reader.sample_links()

    @beat(seconds=5)
    def processes(self) -> None:
        """NVML's dearest calls: milliseconds each."""
        self.reader.scan_processes()

    @beat(seconds=10)
    def facts(self) -> None:
        """What changes seldom: which GPUs there are, who has them, pending modes."""
        self.reader.follow()
