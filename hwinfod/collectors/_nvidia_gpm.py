# SPDX-License-Identifier: MIT
"""What the multiprocessors do, by GPM, unless somebody else profiles the GPU: two at once disturb each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors import _nvidia_families as families
from hwinfod.collectors._gpu_link import BUSY_RATIO
from hwinfod.core.table import Groups
from hwinfod.sources.files import list_directory, read_optional
from hwinfod.sources.nvml_errors import DeviceFailed, LibraryFailed, NvmlError
from hwinfod.sources.nvml_gpm import GpmReader

if TYPE_CHECKING:
    from hwinfod.collectors._nvidia_inventory import Gpu
    from hwinfod.collectors._nvidia_mig import Instance
    from hwinfod.core.codec import Value
    from hwinfod.core.collector import Skip
    from hwinfod.core.host import RootPaths
    from hwinfod.core.metric import Metric
    from hwinfod.core.table import Column, Table
    from hwinfod.sources.nvml import Session

_SM_ACTIVE = 2
_PIPES = {"integer": 4, "dfma": 6, "hmma": 7, "dmma": 8, "imma": 9, "fp64": 11, "fp32": 12, "fp16": 13}
_COLUMNS: dict[int, tuple[Metric, tuple[str, ...]]] = {
    _SM_ACTIVE: (families.SM_ACTIVE, ()),
    3: (families.SM_OCCUPANCY, ()),
    5: (families.TENSOR_ACTIVE, ()),
    10: (families.DRAM_ACTIVE, ()),
    **{id_: (families.PIPE_ACTIVE, (pipe,)) for pipe, id_ in _PIPES.items()},
}
_PROFILERS = frozenset({b"nv-hostengine", b"dcgm-exporter", b"ncu", b"nsys", b"nsys-launcher"})


class Profilers:
    """Whether a profiler runs on this host: each process is looked at once."""

    def __init__(self, roots: RootPaths) -> None:
        self._roots = roots
        self._others: set[str] = set()
        self.running = False

    def look(self) -> None:
        pids = {name for name in list_directory(self._roots.procfs) if name.isdecimal()}
        found = [pid for pid in pids - self._others if read_optional(self._roots.proc(pid, "comm"), 64) in _PROFILERS]
        self._others = pids.difference(found)
        self.running = bool(found)


class Gpm:
    """The readers of one session: one a GPU, or one a GPU instance where MIG cuts it."""

    def __init__(self, session: Session, table: Table) -> None:
        self._session = session
        self._readers: dict[tuple[str, int | None], GpmReader] = {}
        self._values: dict[tuple[str, int | None], list[Value]] = {}
        self._boards = Groups(table, _board_columns)
        self._instances = Groups(table, lambda key: [(families.MIG_SM_ACTIVE, tuple(key.split("\0")))])

    def sample(self, gpu: Gpu, instances: list[Instance], skip: Skip) -> bool:
        """Fills the row; whether the multiprocessors work. Raises what a failed device or library raises."""
        if not gpu.mig_enabled:
            values = self._read(gpu, None, tuple(_COLUMNS), skip)
            self._boards.set("\0".join(gpu.labels), values)
            return (values[0] or 0) > BUSY_RATIO
        works = False
        for instance in instances:
            if instance.gpu_instance is not None:
                values = self._read(gpu, instance.gpu_instance, (_SM_ACTIVE,), skip)
                self._instances.set("\0".join(instance.labels(gpu)), values)
                works |= (values[0] or 0) > BUSY_RATIO
        return works

    def sweep(self) -> None:
        """After each tick: what was not sampled is gone."""
        self._boards.sweep()
        self._instances.sweep()
        for key in self._readers.keys() - self._values.keys():
            self._readers.pop(key).close()
        self._values.clear()

    def close(self) -> None:
        """Gives readers and columns up: the next session has its own."""
        self._boards.clear()
        self._instances.clear()
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _read(self, gpu: Gpu, instance: int | None, metrics: tuple[int, ...], skip: Skip) -> list[Value]:
        """Once a tick: compute instances share what their GPU instance does, and samples must be 100 ms apart."""
        key = (gpu.uuid, instance)
        if key not in self._values:
            self._values[key] = self._measure(key, gpu, metrics, skip)
        return self._values[key]

    def _measure(self, key: tuple[str, int | None], gpu: Gpu, metrics: tuple[int, ...], skip: Skip) -> list[Value]:
        try:
            reader = self._readers.get(key)
            if reader is None:
                reader = self._readers[key] = GpmReader(self._session, gpu.handle, metrics, key[1])
            return [None if value is None else _share(value) for value in reader.read()]
        except (DeviceFailed, LibraryFailed):
            raise
        except NvmlError as error:
            skip("GPM", error)
            return [None] * len(metrics)


def _share(percent: float) -> float | None:
    return round(percent / 100, 4) if 0 <= percent <= 100 else None


def _board_columns(key: str) -> list[Column]:
    labels = tuple(key.split("\0"))
    return [(metric, (*labels, *more)) for metric, more in _COLUMNS.values()]
