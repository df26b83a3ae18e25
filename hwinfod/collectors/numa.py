# SPDX-License-Identifier: MIT
"""NUMA nodes: their processors, their memory, huge pages, and where allocations came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.table import Groups
from hwinfod.errors import Absent, HwinfodError, ReadError
from hwinfod.sources.cpu_topology import list_numa_nodes
from hwinfod.sources.files import read_file, read_text
from hwinfod.sources.hugepages import read_hugepages
from hwinfod.sources.proc_meminfo import parse_node_meminfo
from hwinfod.sources.proc_vmstat import parse_vmstat

if TYPE_CHECKING:
    from hwinfod.core.table import Column

_NODE = "/sys/devices/system/node/node*/"
_LABELS = ("numa_node",)
_POOL_LABELS = ("numa_node", "size")


def _bytes(name: str, field: str, help_: str) -> Metric:
    return Metric(
        name=name,
        kind=Kind.GAUGE,
        unit="bytes",
        help=help_,
        source=f"{_NODE}meminfo, {field}",
        labels=_LABELS,
        level=Level.DETAILED,
    )


def _count(name: str, field: str, help_: str) -> Metric:
    return Metric(
        name=name,
        kind=Kind.COUNTER,
        help=help_,
        source=f"{_NODE}numastat, {field}; Documentation/admin-guide/numastat.rst",
        labels=_LABELS,
        level=Level.DETAILED,
    )


_FIELDS = {
    "MemTotal": _bytes("hw_numa_memory_limit_bytes", "MemTotal", "Memory of the node."),
    "MemUsed": _bytes("hw_numa_memory_usage_bytes", "MemUsed", "Memory of the node in use, page cache included."),
    "MemFree": _bytes("hw_numa_memory_free_bytes", "MemFree", "Memory of the node that nothing uses."),
    "FilePages": _bytes("hw_numa_memory_cached_bytes", "FilePages", "Memory of the node in the page cache."),
    "AnonPages": _bytes(
        "hw_numa_memory_anonymous_bytes", "AnonPages", "Memory of the node that processes mapped without a file."
    ),
    "SUnreclaim": _bytes(
        "hw_numa_memory_slab_unreclaimable_bytes",
        "SUnreclaim",
        "Objects of the kernel on the node that cannot be reclaimed.",
    ),
}
_COUNTS = {
    b"numa_hit": _count("hw_numa_hits_total", "numa_hit", "Allocations that wanted this node and got it."),
    b"numa_miss": _count(
        "hw_numa_misses_total", "numa_miss", "Allocations that wanted another node and had to take this one."
    ),
    b"numa_foreign": _count(
        "hw_numa_foreign_total", "numa_foreign", "Allocations that wanted this node and had to take another."
    ),
    b"interleave_hit": _count(
        "hw_numa_interleave_hits_total", "interleave_hit", "Interleaved allocations that got this node as planned."
    ),
    b"local_node": _count(
        "hw_numa_local_allocations_total", "local_node", "Allocations on this node by a task that ran on it."
    ),
    b"other_node": _count(
        "hw_numa_remote_allocations_total", "other_node", "Allocations on this node by a task that ran on another."
    ),
}
POOL_LIMIT = Metric(
    name="hw_numa_hugepages_limit_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Size of the node's pool of huge pages of one size.",
    source=f"{_NODE}hugepages/hugepages-*/nr_hugepages",
    labels=_POOL_LABELS,
    level=Level.DETAILED,
)
POOL_USAGE = Metric(
    name="hw_numa_hugepages_usage_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Huge pages of one size of the node in use.",
    source=f"{_NODE}hugepages/hugepages-*/free_hugepages",
    labels=_POOL_LABELS,
    level=Level.DETAILED,
)
NODES = Metric(
    name="hw_numa_nodes",
    kind=Kind.GAUGE,
    help="NUMA nodes online, those of GPU memory included.",
    source="/sys/devices/system/node",
)


class Numa(Collector):
    name = "numa"
    summary = "memory and huge pages of each NUMA node"

    def open(self) -> None:
        if not list_numa_nodes(self.roots):
            raise Absent("the kernel knows no NUMA nodes")
        self.count = self.table.bind((NODES,))
        metrics = (*_FIELDS.values(), *_COUNTS.values())
        self.nodes = Groups(self.table, lambda node: [(metric, (node,)) for metric in metrics])
        self.pools = Groups(self.table, _pool_columns)

    @beat(seconds=10)
    def sample(self) -> None:
        nodes = list_numa_nodes(self.roots)
        self.count.set((len(nodes),))
        for node in nodes:
            try:
                self._read_node(node)
            except HwinfodError as error:
                self.skip(f"node{node}", error)
            for pool in read_hugepages(self.roots, node):
                size = pool.page_bytes
                self.pools.set(f"{node} {size >> 10}kB", (pool.pages * size, (pool.pages - pool.free) * size))
        self.nodes.sweep()
        self.pools.sweep()
        self.host.devices.reconcile(self.name, map(self._device, nodes))

    def _read_node(self, node: int) -> None:
        directory = self.roots.sys("devices/system/node", f"node{node}")
        memory = parse_node_meminfo(read_file(f"{directory}/meminfo"))
        try:
            counts = parse_vmstat(read_file(f"{directory}/numastat"))
        except ReadError:
            counts = {}
        self.nodes.set(str(node), [*map(memory.get, _FIELDS), *map(counts.get, _COUNTS)])

    def _device(self, node: int) -> Device:
        """`distances` to each node in order, as firmware weighs them: 10 is the node itself."""
        directory = self.roots.sys("devices/system/node", f"node{node}")
        facts = {
            "numa_node": str(node),
            "cpus": read_text(f"{directory}/cpulist"),
            "distances": read_text(f"{directory}/distance"),
        }
        return Device(f"numa:{node}", "numa node", f"node {node}", facts)


def _pool_columns(key: str) -> list[Column]:
    node, size = key.split()
    return [(POOL_LIMIT, (node, size)), (POOL_USAGE, (node, size))]
