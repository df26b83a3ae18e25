# SPDX-License-Identifier: MIT
"""Who uses AMD GPUs: holdings out of what KFD tells of each process, and DRM of those that do not compute.

The memory of a process that computes may be in both: the larger figure counts, never their sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors import _amd_families as amd
from hwinfod.collectors import _gpu_families as families
from hwinfod.core.holding import Batch, Holding
from hwinfod.core.table import Groups
from hwinfod.errors import HwinfodError
from hwinfod.sources.files import read_file
from hwinfod.sources.kfd import list_processes, read_uses
from hwinfod.sources.process import parse_stat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hwinfod.collectors._amd_inventory import AmdGpu
    from hwinfod.collectors._drm_shares import DeviceUse
    from hwinfod.core.host import Host, RootPaths
    from hwinfod.core.table import Column, Table
    from hwinfod.sources.kfd import Node, Use

_MICROSECONDS = 1_000_000
_MOST_TURNS = 512
_STAT_LIMIT = 4096


class Processes:
    """Publishes one batch a GPU, partitions included: a partition's part is an amount of its own."""

    def __init__(self, host: Host, table: Table, publish: Callable[[Batch], None]) -> None:
        self._host = host
        self._publish = publish
        self._known: dict[int, frozenset[int]] = {}
        self._turn = 0
        self._counts = Groups(table, _count_columns)
        self._partitions = Groups(table, _partition_columns)

    def scan(self, gpus: Mapping[AmdGpu, Callable[[], int | None]], clients: Mapping[str, DeviceUse]) -> None:
        """Reads every process once. The GPUs' own figures are read in the same pass. `clients` are DRM's, by PCI
        address."""
        roots, boottime_ns = self._host.roots, self._host.clock.boottime_ns()
        uses = self._read([node.gpu_id for gpu in gpus for node in gpu.nodes])
        starts = {pid: _start_time(roots, pid) for pid, of_process in uses.items() if of_process}
        for gpu, read_used in gpus.items():
            used = read_used()
            amounts = {
                (pid, starts[pid]): _amounts(gpu, of_process)
                for pid, of_process in uses.items()
                if any(node.gpu_id in of_process for node in gpu.nodes)
            }
            _add_clients(amounts, clients.get(gpu.pci.address), unified=gpu.is_apu)
            holdings = tuple(Holding(pid, start, of_process) for (pid, start), of_process in amounts.items())
            totals = {} if used is None else {"memory_bytes": float(used)}
            self._publish(Batch(gpu.uuid, boottime_ns, totals, holdings))
            self._fill(gpu, holdings)
        self._counts.sweep()
        self._partitions.sweep()

    def _read(self, gpu_ids: list[int]) -> dict[int, dict[int, Use]]:
        """What each process has. KFD lists every GPU for each: of 64 partitions a process uses one. What had nothing
        the last time is read in turns where there is much of that; a process that is new is read at once."""
        pids = list_processes(self._host.roots)
        with_nothing = [
            (pid, gpu_id) for pid in pids if pid in self._known for gpu_id in gpu_ids if gpu_id not in self._known[pid]
        ]
        turn = self._turn if len(with_nothing) > _MOST_TURNS else 0
        in_turn = (with_nothing[turn:] + with_nothing[:turn])[:_MOST_TURNS]
        self._turn = (turn + len(in_turn)) % max(1, len(with_nothing))
        wanted: dict[int, list[int]] = {pid: list(self._known.get(pid, gpu_ids)) for pid in pids}
        for pid, gpu_id in in_turn:
            wanted[pid].append(gpu_id)
        uses = {pid: read_uses(self._host.roots, pid, of_process) for pid, of_process in wanted.items()}
        self._known = {pid: frozenset(of_process) for pid, of_process in uses.items()}
        return uses

    def _fill(self, gpu: AmdGpu, holdings: tuple[Holding, ...]) -> None:
        self._counts.set("\0".join(gpu.labels), (len(holdings),))
        for node in gpu.nodes if len(gpu.nodes) > 1 else ():
            held = sum(int(holding.amounts.get(_of_partition(node), 0)) for holding in holdings)
            self._partitions.set("\0".join((*gpu.labels, str(node.partition))), (held,))


def _amounts(gpu: AmdGpu, uses: Mapping[int, Use]) -> dict[str, float]:
    """Of one process on one board."""
    parts = [(node, uses[node.gpu_id]) for node in gpu.nodes if node.gpu_id in uses]
    amounts: dict[str, float] = {"memory_bytes": sum(use.memory_bytes for _, use in parts)}
    copies = [use.copy_microseconds for _, use in parts if use.copy_microseconds is not None]
    if copies:
        amounts["copy_seconds"] = sum(copies) / _MICROSECONDS
    units = [use.compute_units for _, use in parts if use.compute_units is not None]
    all_units = sum(node.compute_units for node in gpu.nodes)
    if units and all_units:
        amounts["utilization_ratio"] = round(min(sum(units) / all_units, 1.0), 4)
    if len(gpu.nodes) > 1:
        amounts.update((_of_partition(node), use.memory_bytes) for node, use in parts)
    return amounts


def _add_clients(amounts: dict[tuple[int, int], dict[str, float]], use: DeviceUse | None, *, unified: bool) -> None:
    """What DRM knows better, or alone. A client without memory that never worked only looked at the GPU."""
    for key, process in use.processes.items() if use is not None else ():
        seen = process.amounts(unified=unified)
        if key in amounts or any(seen.values()):
            known = amounts.setdefault(key, {})
            known.update((name, max(value, known.get(name, 0))) for name, value in seen.items())


def _of_partition(node: Node) -> str:
    return f"partition_{node.partition}_memory_bytes"


def _start_time(roots: RootPaths, pid: int) -> int:
    """0 for a process that ended meanwhile, or one of another PID namespace than ours."""
    try:
        return parse_stat(read_file(roots.proc(str(pid), "stat"), _STAT_LIMIT)).start_time_ticks
    except HwinfodError:
        return 0


def _count_columns(key: str) -> list[Column]:
    return [(families.PROCESSES, tuple(key.split("\0")))]


def _partition_columns(key: str) -> list[Column]:
    return [(amd.PARTITION_MEMORY_USAGE, tuple(key.split("\0")))]
