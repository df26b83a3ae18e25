# SPDX-License-Identifier: MIT
"""Who uses NVIDIA GPUs: every few seconds, merged by process, with the GPU's own used bytes from the same pass.

The same process may be in several of NVML's lists with the same memory: the largest counts, not the sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hwinfod.collectors._gpu_families import PROCESSES
from hwinfod.collectors._nvidia_readings import MEMORY_V2
from hwinfod.core.holding import Batch, Holding
from hwinfod.core.table import Groups
from hwinfod.errors import HwinfodError
from hwinfod.sources.files import read_file
from hwinfod.sources.nvml_errors import FUNCTION_NOT_FOUND, DeviceFailed, LibraryFailed, NvmlError, Unsupported
from hwinfod.sources.process import parse_stat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.collectors._nvidia_inventory import Gpu
    from hwinfod.collectors._nvidia_mig import Instance
    from hwinfod.core.collector import Skip
    from hwinfod.core.host import Host
    from hwinfod.core.table import Table
    from hwinfod.sources.nvml import Handle, Session

_LISTS = {
    "compute": "nvmlDeviceGetComputeRunningProcesses",
    "graphics": "nvmlDeviceGetGraphicsRunningProcesses",
    "mps client": "nvmlDeviceGetMPSComputeRunningProcesses",
}
_ALWAYS_THERE = "compute"
_SHARED = "mps server (shared)"  # what it holds is for all of its clients
_MPS_SERVER = b"nvidia-cuda-mps"  # nvidia-cuda-mps-server, as comm has it
_EMPTY = (0, 6)  # the bindings raise success where there is nothing to size; NVML says not found
_STAT_LIMIT = 4096
_SECOND_US = 1_000_000
_SHARES = ("utilization_ratio", "memory_utilization_ratio", "encoder_utilization_ratio", "decoder_utilization_ratio")


@dataclass(slots=True)
class _Use:
    """One process on one GPU. `amounts` as a holding has them."""

    roles: dict[str, None] = field(default_factory=dict)
    amounts: dict[str, float] = field(default_factory=dict)


class Processes:
    """Publishes one batch a GPU. `unsupported`: the lists that a driver or GPU lacks, and that it may lack."""

    def __init__(self, host: Host, table: Table) -> None:
        self.unsupported: set[str] = set()
        self._host = host
        self._published: set[str] = set()
        self._seen_us: dict[str, int] = {}
        self._counts = Groups(table, lambda key: [(PROCESSES, tuple(key.split("\0")))])

    def scan(self, session: Session, gpus: Iterable[tuple[Gpu, list[Instance]]], skip: Skip) -> None:
        """Raises LibraryFailed. A GPU whose lists cannot be had has no batch: part of a list is not who uses it."""
        scanned = set()
        for gpu, instances in gpus:
            begun = self._host.clock.boottime_ns()
            tell = _prefixed(skip, gpu)
            try:
                uses = self._uses(session, gpu, instances, tell)
                totals = _totals(session, gpu)
            except LibraryFailed:
                raise
            except NvmlError as error:
                tell(error.function, error)
                continue
            holdings = tuple(self._holding(pid, use) for pid, use in uses.items())
            self._host.holdings.publish(Batch(gpu.uuid, begun, totals, holdings))
            self._counts.set("\0".join(gpu.labels), [len(holdings)])
            scanned.add(gpu.uuid)
        self._counts.sweep()
        self.withdraw(but=scanned)
        self._published = scanned

    def withdraw(self, but: Iterable[str] = ()) -> None:
        """The holdings of all GPUs but these: they are not read any more."""
        for uuid in self._published.difference(but):
            self._host.holdings.withdraw(uuid)
            self._seen_us.pop(uuid, None)
        self._published &= set(but)

    def _uses(self, session: Session, gpu: Gpu, instances: list[Instance], skip: Skip) -> dict[int, _Use]:
        if gpu.mig_enabled:
            uses: dict[int, _Use] = {}
            for instance in instances:
                part = self._running(session, instance.handle)
                for pid, use in part.items():
                    _add(uses.setdefault(pid, _Use()), use, f"partition_{instance.number}_memory_bytes")
            return uses
        uses = self._running(session, gpu.handle)
        self._add_shares(session, gpu, uses, skip)
        return uses

    def _running(self, session: Session, handle: Handle) -> dict[int, _Use]:
        """Raises NvmlError; a GPU or driver may lack any list but the first."""
        uses: dict[int, _Use] = {}
        for role, function in _LISTS.items():
            try:
                running = _list(session, function, handle)
            except Unsupported as error:
                if role == _ALWAYS_THERE:
                    raise
                self.unsupported.add(error.function)
                continue
            for process in running:
                if not process.pid:
                    continue  # in another PID namespace
                use = uses.setdefault(int(process.pid), _Use())
                use.roles[role] = None
                if process.usedGpuMemory is not None:
                    use.amounts["memory_bytes"] = max(use.amounts.get("memory_bytes", 0), int(process.usedGpuMemory))
        return uses

    def _add_shares(self, session: Session, gpu: Gpu, uses: dict[int, _Use], skip: Skip) -> None:
        """Shares of the time since the last look. NVML lists who did something: who is not listed did nothing. It
        also lists processes that are gone, and garbage: shares above 100 %, times to come. Who has no other has none.
        """
        now = self._host.clock.wall_ns() // 1000
        since = self._seen_us.get(gpu.uuid, now)
        if since >= now:  # the first look, or the clock was set back: what is newer than that may not come for hours
            since = now - _SECOND_US
        try:
            samples = session.call("nvmlDeviceGetProcessUtilization", gpu.handle, since)
        except (DeviceFailed, LibraryFailed):
            raise
        except NvmlError as error:
            if error.code not in _EMPTY:
                if error.code != 3:
                    skip(error.function, error)
                return
            samples = []
        sound = [sample for sample in samples if sample.timeStamp <= now + _SECOND_US]
        self._seen_us[gpu.uuid] = max([since, *(int(sample.timeStamp) for sample in sound)])
        for pid, use in uses.items():
            valid = [row for row in (_shares(sample) for sample in sound if sample.pid == pid) if max(row) <= 100]
            if not valid and any(sample.pid == pid for sample in samples):
                continue
            for column, name in enumerate(_SHARES):
                mean = sum(row[column] for row in valid) / len(valid) if valid else 0.0
                use.amounts[name] = round(mean / 100, 4)

    def _holding(self, pid: int, use: _Use) -> Holding:
        start, comm = 0, b""
        try:
            stat = parse_stat(read_file(self._host.roots.proc(str(pid), "stat"), _STAT_LIMIT))
            start, comm = stat.start_time_ticks, read_file(self._host.roots.proc(str(pid), "comm"), 64)
        except HwinfodError:
            pass  # it ended meanwhile, or lives in a PID namespace that is not ours
        role = _SHARED if comm.startswith(_MPS_SERVER) else " and ".join(use.roles)
        return Holding(pid, start, use.amounts, role=role)


def _prefixed(skip: Skip, gpu: Gpu) -> Skip:
    return lambda call, error: skip(f"GPU {gpu.index} {call}", error)


def _list(session: Session, function: str, handle: Handle) -> list[Any]:
    """Of older drivers the version before, whose records are the same. Raises NvmlError. Source: nvml.h,
    nvmlProcessInfo_v2_t, of both."""
    try:
        return list(session.call(f"{function}_v3", handle))
    except Unsupported as error:
        if error.code != FUNCTION_NOT_FOUND:
            raise
    return list(session.call(f"{function}_v2", handle))


def _add(whole: _Use, part: _Use, name: str) -> None:
    """A process on several instances has memory of each."""
    whole.roles.update(part.roles)
    held = part.amounts.get("memory_bytes")
    if held is not None:
        whole.amounts["memory_bytes"] = whole.amounts.get("memory_bytes", 0) + held
        whole.amounts[name] = held


def _shares(sample: Any) -> tuple[int, int, int, int]:
    return sample.smUtil, sample.memUtil, sample.encUtil, sample.decUtil


def _totals(session: Session, gpu: Gpu) -> dict[str, float]:
    """The memory in use, the driver's own apart. The host's, of which the GPU has a part, says nothing here."""
    if gpu.is_unified:
        return {}
    memory = session.optional("nvmlDeviceGetMemoryInfo", gpu.handle, MEMORY_V2)
    if memory is None:
        memory = session.optional("nvmlDeviceGetMemoryInfo", gpu.handle)
    return {} if memory is None else {"memory_bytes": int(memory.used)}
