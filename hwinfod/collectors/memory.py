# SPDX-License-Identifier: MIT
"""Memory of the host: how much of it is used for what, swap, and pools of huge pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._interval import DIGITS
from hwinfod.core.check import Check
from hwinfod.core.collector import Collector, beat
from hwinfod.core.event import Severity
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.table import Groups
from hwinfod.errors import Absent, Gone
from hwinfod.sources.files import SeqFile
from hwinfod.sources.hugepages import read_hugepages
from hwinfod.sources.proc_meminfo import parse_meminfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.codec import Value

_MEMINFO = "/proc/meminfo"
_POOLS = "/sys/kernel/mm/hugepages/hugepages-*/"


def _bytes(name: str, field: str, help_: str, level: Level = Level.STANDARD) -> Metric:
    return Metric(name=name, kind=Kind.GAUGE, unit="bytes", help=help_, source=f"{_MEMINFO}, {field}", level=level)


USAGE = Metric(
    name="hw_memory_usage_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Memory by what it is used for; the states add up to hw_memory_limit_bytes.",
    source=f"{_MEMINFO}, MemTotal, MemFree, Buffers, Cached, SReclaimable",
    labels=("state",),
)
UTILIZATION = Metric(
    name="hw_memory_utilization_ratio",
    kind=Kind.GAUGE,
    unit="ratio",
    help="Part of the memory that is not available to new work without swapping.",
    source=f"{_MEMINFO}, 1 - MemAvailable / MemTotal",
    level=Level.CORE,
)
SWAP_USAGE = _bytes("hw_swap_usage_bytes", "SwapTotal - SwapFree", "Swap space in use.")
HUGEPAGES_LIMIT = Metric(
    name="hw_hugepages_limit_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Size of the pool of huge pages of one size.",
    source=f"{_POOLS}nr_hugepages",
    labels=("size",),
)
HUGEPAGES_USAGE = Metric(
    name="hw_hugepages_usage_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Huge pages of one size in use.",
    source=f"{_POOLS}nr_hugepages - free_hugepages",
    labels=("size",),
)
HUGEPAGES_RESERVED = Metric(
    name="hw_hugepages_reserved_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Huge pages of one size that are promised to a process but not used yet.",
    source=f"{_POOLS}resv_hugepages",
    labels=("size",),
    level=Level.DETAILED,
)
HUGEPAGES_SURPLUS = Metric(
    name="hw_hugepages_surplus_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Huge pages of one size above the pool's configured size.",
    source=f"{_POOLS}surplus_hugepages",
    labels=("size",),
    level=Level.DETAILED,
)

# Families that are one field of meminfo each. These overlap (a page may be mapped, dirty and cached), so that they
# are not states of one family.
_FIELDS = {
    "MemTotal": _bytes("hw_memory_limit_bytes", "MemTotal", "Memory that the kernel can use."),
    "MemAvailable": _bytes(
        "hw_memory_available_bytes", "MemAvailable", "Memory available to new work without swapping, as estimated."
    ),
    "SwapTotal": _bytes("hw_swap_limit_bytes", "SwapTotal", "Swap space."),
    "HardwareCorrupted": _bytes(
        "hw_memory_corrupted_bytes", "HardwareCorrupted", "Memory taken out of use because of errors that ECC found."
    ),
    **{
        field: _bytes(f"hw_memory_{name}_bytes", field, help_, Level.DETAILED)
        for field, name, help_ in (
            ("Active", "active", "Memory used recently, not reclaimed unless there is need."),
            ("Inactive", "inactive", "Memory not used recently, reclaimed first."),
            ("AnonPages", "anonymous", "Memory of processes that no file is behind, mapped."),
            ("Mapped", "mapped", "Pages of files that processes have mapped."),
            ("Shmem", "shared", "Shared memory and tmpfs."),
            ("Dirty", "dirty", "Memory that waits to be written to disk."),
            ("Writeback", "writeback", "Memory that is being written to disk."),
            ("SUnreclaim", "slab_unreclaimable", "Objects of the kernel that cannot be reclaimed; leaks show here."),
            ("KernelStack", "kernel_stack", "Stacks of tasks in the kernel."),
            ("PageTables", "page_tables", "Page tables of processes."),
            ("Percpu", "percpu", "Memory that the kernel keeps for each processor."),
            ("VmallocUsed", "vmalloc", "Virtually contiguous memory of the kernel."),
            ("Unevictable", "unevictable", "Memory that cannot be reclaimed, locked memory included."),
            ("Mlocked", "locked", "Memory that processes have locked."),
            ("AnonHugePages", "transparent_hugepages", "Anonymous memory in transparent huge pages."),
            ("Hugetlb", "hugetlb", "Memory in pools of huge pages of any size."),
            ("Committed_AS", "committed", "Memory that processes were promised."),
            ("CommitLimit", "commit_limit", "Memory that could be promised under strict overcommit."),
        )
    },
}

_STATES = ("used", "free", "buffers", "cached", "slab_reclaimable")
_POOL_METRICS = (HUGEPAGES_LIMIT, HUGEPAGES_USAGE, HUGEPAGES_RESERVED, HUGEPAGES_SURPLUS)

SHORT = Check(
    name="memory_short",
    metric=UTILIZATION,
    wrong=lambda ratio: ratio > 0.95,
    severity=Severity.WARNING,
    text="less than 5 % of the memory is available ({value:.1%} used)",
    remedy="hwinfoctl show memory",
)


class Memory(Collector):
    name = "memory"
    summary = "memory by use, swap and huge pages"
    in_node_exporter = True
    beyond_node_exporter = frozenset(_POOL_METRICS)  # it has those of the default size alone

    def open(self) -> None:
        self.file = SeqFile(self.roots.proc("meminfo"))
        try:
            self.file.read()
        except Gone as error:
            raise Absent(str(error)) from None
        self.fields = self.table.bind(_FIELDS.values())
        self.states = self.table.bind_columns([(USAGE, (state,)) for state in _STATES])
        self.derived = self.table.bind((UTILIZATION, SWAP_USAGE))
        self.pools = Groups(self.tables["hugepages"], lambda size: [(metric, (size,)) for metric in _POOL_METRICS])

    @beat(seconds=1)
    def sample(self) -> None:
        found = parse_meminfo(self.file.read())
        self.fields.set([found.get(field) for field in _FIELDS])
        self.states.set(_state_row(found))
        self.derived.set((_utilization(found), _difference(found, "SwapTotal", "SwapFree")))

    @beat(seconds=10)
    def hugepages(self) -> None:
        for pool in read_hugepages(self.roots):
            size = pool.page_bytes
            self.pools.set(
                f"{size >> 10}kB",
                (
                    pool.pages * size,
                    (pool.pages - pool.free) * size,
                    None if pool.reserved is None else pool.reserved * size,
                    None if pool.surplus is None else pool.surplus * size,
                ),
            )
        self.pools.sweep()


def _state_row(found: Mapping[str, int]) -> list[Value]:
    """What is left of the total is used: so the states add up, whatever the kernel adds."""
    try:
        rest = [found[field] for field in ("MemFree", "Buffers", "Cached", "SReclaimable")]
        return [max(0, found["MemTotal"] - sum(rest)), *rest]
    except KeyError:
        return [None] * len(_STATES)


def _utilization(found: Mapping[str, int]) -> float | None:
    total, available = found.get("MemTotal"), found.get("MemAvailable")
    return None if not total or available is None else round(1 - available / total, DIGITS)


def _difference(found: Mapping[str, int], whole: str, part: str) -> int | None:
    return found[whole] - found[part] if whole in found and part in found else None
