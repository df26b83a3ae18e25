# SPDX-License-Identifier: MIT
"""Virtual memory at work: swapping, faults, reclaim, compaction, and kills for want of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.check import Check
from hwinfod.core.collector import Collector, beat
from hwinfod.core.event import Severity
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.errors import Absent, Gone
from hwinfod.sources.files import SeqFile
from hwinfod.sources.proc_vmstat import PAGE_BYTES, parse_vmstat

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOURCE = "/proc/vmstat"
_EVENT = 1
_KIBIBYTE = 1024
# Every count of vmstat that we take: its name, what one of it is, the family, and the family's level and help.
_TAKEN = (
    ("oom_kill", _EVENT, "hw_memory_oom_kills", Level.CORE,
     "Processes killed because the host or a cgroup had no memory left."),
    ("pswpin", PAGE_BYTES, "hw_swap_in_bytes", Level.STANDARD, "Memory brought back from swap."),
    ("pswpout", PAGE_BYTES, "hw_swap_out_bytes", Level.STANDARD, "Memory moved out to swap."),
    ("pgmajfault", _EVENT, "hw_memory_major_page_faults", Level.STANDARD, "Page faults that waited for a disk."),
    ("pgfault", _EVENT, "hw_memory_page_faults", Level.DETAILED, "Page faults, major ones included."),
    ("pgpgin", _KIBIBYTE, "hw_memory_paged_in_bytes", Level.DETAILED, "Data read from block devices."),
    ("pgpgout", _KIBIBYTE, "hw_memory_paged_out_bytes", Level.DETAILED, "Data written to block devices."),
    ("pgscan_kswapd", _EVENT, "hw_memory_background_scanned_pages", Level.DETAILED,
     "Pages that kswapd looked at to free memory."),
    ("pgsteal_kswapd", _EVENT, "hw_memory_background_reclaimed_pages", Level.DETAILED, "Pages that kswapd freed."),
    ("pgscan_direct", _EVENT, "hw_memory_direct_scanned_pages", Level.DETAILED,
     "Pages that allocations looked at because they had to free memory themselves."),
    ("pgsteal_direct", _EVENT, "hw_memory_direct_reclaimed_pages", Level.DETAILED,
     "Pages that allocations freed because they had to free memory themselves."),
    ("workingset_refault_file", _EVENT, "hw_memory_file_refaults", Level.DETAILED,
     "Pages of files that were dropped and soon needed again."),
    ("workingset_refault_anon", _EVENT, "hw_memory_anonymous_refaults", Level.DETAILED,
     "Anonymous pages that were swapped out and soon needed again."),
    ("compact_stall", _EVENT, "hw_memory_compaction_stalls", Level.DETAILED,
     "Allocations that waited for memory to be compacted."),
    ("compact_fail", _EVENT, "hw_memory_compaction_failures", Level.DETAILED,
     "Compactions that allocations waited for and that made no large enough block."),
    ("thp_fault_alloc", _EVENT, "hw_memory_hugepage_faults", Level.DETAILED,
     "Faults that got a transparent huge page."),
    ("thp_fault_fallback", _EVENT, "hw_memory_hugepage_fallbacks", Level.DETAILED,
     "Faults that should have got a transparent huge page and got small ones."),
    ("numa_hint_faults", _EVENT, "hw_numa_hint_faults", Level.DETAILED,
     "Faults by which automatic NUMA balancing samples accesses."),
    ("numa_pages_migrated", _EVENT, "hw_numa_migrated_pages", Level.DETAILED,
     "Pages that automatic NUMA balancing moved."),
)  # fmt: skip


def _family(field: str, stem: str, level: Level, help_: str) -> Metric:
    return Metric(
        name=f"{stem}_total",
        kind=Kind.COUNTER,
        unit="bytes" if stem.endswith("_bytes") else "",
        help=help_,
        source=f"{_SOURCE}, {field}",
        level=level,
    )


ALLOCATION_STALLS = _family(
    "allocstall_*",
    "hw_memory_allocation_stalls",
    Level.DETAILED,
    "Allocations that had to free memory themselves before they could go on.",
)
_FAMILIES = tuple(_family(field, stem, level, help_) for field, _, stem, level, help_ in _TAKEN)
_UNITS = tuple((field.encode(), unit) for field, unit, *_ in _TAKEN)
# What it takes of vmstat: ^(oom_kill|pgpg|pswp|pg.*fault).*, collector/vmstat_linux.go
_BEYOND = frozenset(
    family
    for family, (field, *_) in zip(_FAMILIES, _TAKEN)
    if not field.startswith(("oom_kill", "pgpg", "pswp", "pgfault", "pgmajfault"))
)
# Kept by memory zone.
_STALLS = tuple(f"allocstall_{zone}".encode() for zone in ("dma", "dma32", "normal", "movable", "device"))

KILLED = Check(
    name="oom_kill",
    metric=_FAMILIES[0],
    wrong=lambda kills: kills > 0,
    severity=Severity.WARNING,
    text="{value:.0f} processes killed for want of memory in the last hour",
    remedy="hwinfoctl events",
    increase_seconds=3600,
)


class Paging(Collector):
    name = "paging"
    summary = "swapping, page faults, reclaim and kills for want of memory"
    in_node_exporter = True
    beyond_node_exporter = _BEYOND | {ALLOCATION_STALLS}

    def open(self) -> None:
        self.file = SeqFile(self.roots.proc("vmstat"))
        try:
            self.file.read()
        except Gone as error:
            raise Absent(str(error)) from None
        self.group = self.table.bind((ALLOCATION_STALLS, *_FAMILIES))

    @beat(seconds=5)
    def sample(self) -> None:
        found = parse_vmstat(self.file.read())
        counts = [(found.get(field), unit) for field, unit in _UNITS]
        self.group.set([_stalls(found), *(None if count is None else count * unit for count, unit in counts)])


def _stalls(found: Mapping[bytes, int]) -> int | None:
    zones = [found[field] for field in _STALLS if field in found]
    return sum(zones) if zones else None
