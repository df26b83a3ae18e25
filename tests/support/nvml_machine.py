# SPDX-License-Identifier: MIT
"""A machine with NVIDIA's driver on a bench: the fake library in its root, its GPUs on its PCI bus."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwinfod.collectors.nvidia import LIBRARY_ROOTS, Nvidia
from hwinfod.core.collector import Collector
from tests.support.bench import Bench
from tests.support.nvml import FakeNvml
from tests.support.nvml_profiles import pci, uuid
from tests.support.sysfs import put

PLACE = "/run/nvidia/driver/usr/lib64"


class Machine:
    """`fake` is its library; PCI functions are as many as the profile has GPUs."""

    def __init__(self, directory: Path, state: Mapping[str, object], *, without: Sequence[str] = ()) -> None:
        self.directory = directory
        self.fake = FakeNvml(directory, state, place=directory / "root" / PLACE.lstrip("/"), without=without)
        self.load_driver()
        put(directory / "proc", {"meminfo": "MemTotal: 1048576 kB\nMemAvailable: 786432 kB\n"})
        for gpu in range(int(str(state["gpus"]))):
            self.plug(gpu)

    def plug(self, gpu: int) -> None:
        function = self.function(gpu)
        put(function, {"class": "0x030200", "vendor": "0x10de", "device": "0x2330", "numa_node": gpu // 4})
        put(function / "power", {"runtime_status": "active"})
        self.bind(gpu, "nvidia")

    def unplug(self, gpu: int) -> None:
        shutil.rmtree(self.function(gpu))

    def function(self, gpu: int) -> Path:
        return self.directory / "sys/bus/pci/devices" / pci(gpu)

    def bind(self, gpu: int, driver: str) -> None:
        place = self.directory / "sys/bus/pci/drivers" / driver
        place.mkdir(parents=True, exist_ok=True)
        link = self.function(gpu) / "driver"
        link.unlink(missing_ok=True)
        link.symlink_to(place)

    def sleep(self, gpu: int, *, asleep: bool = True) -> None:
        put(self.function(gpu) / "power", {"runtime_status": "suspended" if asleep else "active"})

    def drive(self, *gpus: int) -> None:
        """The driver lists them, whether they answer or not."""
        for gpu in gpus:
            put(self.directory / "proc/driver/nvidia/gpus" / pci(gpu), {"information": "Model: NVIDIA"})

    def load_driver(self) -> None:
        (self.directory / "proc/driver/nvidia").mkdir(parents=True, exist_ok=True)

    def unload_driver(self) -> None:
        shutil.rmtree(self.directory / "proc/driver")

    def bench(self, kind: type[Collector] = Nvidia, *, beside: Bench | None = None) -> Bench:
        settings: dict[Any, Any] = {LIBRARY_ROOTS: (PLACE,)}
        return Bench(kind, self.directory, settings, beside=beside)


def of(gpu: int, name: str, **labels: str) -> str:
    """The name of a series of one GPU as a bench has it."""
    pairs = ",".join(f"{key}={value}" for key, value in {"gpu": str(gpu), "uuid": uuid(gpu), **labels}.items())
    return f"hw_gpu_{name}{{{pairs}}}"
