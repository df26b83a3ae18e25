# SPDX-License-Identifier: MIT
"""The families of what owners use. Times are counted in microseconds and shown in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.account import scale_of
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.owner import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.core.account import Cell
    from hwinfod.core.codec import Value

RESOURCES = ("cpu", "memory", "io")


def _family(name: str, unit: str, help_: str, source: str, *, level: Level = Level.STANDARD, more: str = "") -> Metric:
    kind = Kind.COUNTER if name.endswith("_total") else Kind.GAUGE
    return Metric(name, kind, help_, source, unit, (*LABELS, more) if more else LABELS, level)


def _detail(name: str, unit: str, help_: str, source: str, more: str = "") -> Metric:
    return _family(name, unit, help_, source, level=Level.DETAILED, more=more)


CPU_SECONDS = _family(
    "hw_owner_cpu_seconds_total",
    "seconds",
    "Processor time that the owner's processes used.",
    "cpu.stat usage_usec; v1 cpuacct.usage",
)
MEMORY_USAGE = _family(
    "hw_owner_memory_usage_bytes",
    "bytes",
    "Memory that is charged to the owner, its page cache included.",
    "memory.current; v1 memory.usage_in_bytes",
)
THROTTLED_SECONDS = _detail(
    "hw_owner_cpu_throttled_seconds_total",
    "seconds",
    "Time in which the owner's processes were kept from running by its processor quota.",
    "cpu.stat throttled_usec; v1 cpu.stat throttled_time",
)
OOM_KILLS = _detail(
    "hw_owner_oom_kills_total",
    "",
    "Processes of the owner that the kernel killed for want of memory.",
    "memory.events oom_kill; v1 memory.oom_control oom_kill",
)
_IO_SOURCE = "io.stat; v1 blkio.throttle.io_service_bytes_recursive"
READ_BYTES = _detail(
    "hw_owner_io_read_bytes_total", "bytes", "Bytes that the owner read from block devices.", _IO_SOURCE
)
WRITE_BYTES = _detail(
    "hw_owner_io_write_bytes_total", "bytes", "Bytes that the owner wrote to block devices.", _IO_SOURCE
)
_PRESSURE_SOURCE = "cpu.pressure, memory.pressure, io.pressure (v2 only)"
PRESSURE_SOME = _detail(
    "hw_owner_pressure_some_seconds_total",
    "seconds",
    "Time in which at least one task of the owner waited for the resource.",
    _PRESSURE_SOURCE,
    "resource",
)
PRESSURE_FULL = _detail(
    "hw_owner_pressure_full_seconds_total",
    "seconds",
    "Time in which all tasks of the owner that had work waited for the resource.",
    _PRESSURE_SOURCE,
    "resource",
)
MEMORY_ANON = _detail(
    "hw_owner_memory_anon_bytes",
    "bytes",
    "Memory of the owner that no file backs.",
    "memory.stat anon; v1 memory.stat total_rss",
)
MEMORY_FILE = _detail(
    "hw_owner_memory_file_bytes",
    "bytes",
    "Page cache and shared memory of the owner.",
    "memory.stat file; v1 memory.stat total_cache",
)
MEMORY_PEAK = _detail(
    "hw_owner_memory_peak_bytes",
    "bytes",
    "Most memory that was ever charged to the owner.",
    "memory.peak; v1 memory.max_usage_in_bytes",
)
MEMORY_LIMIT = _detail(
    "hw_owner_memory_limit_bytes",
    "bytes",
    "Memory that may be charged to the owner; absent without a limit of its own.",
    "memory.max; v1 memory.limit_in_bytes",
)
PIDS = _detail("hw_owner_pids", "", "Processes and threads of the owner.", "pids.current")
_NET_SOURCE = "/proc/PID/net/dev of a member, all interfaces but lo"
RECEIVE_BYTES = _family(
    "hw_owner_network_receive_bytes_total",
    "bytes",
    "Bytes received in the network namespace of the owner. Owners on the host's network have none.",
    _NET_SOURCE,
)
TRANSMIT_BYTES = _family(
    "hw_owner_network_transmit_bytes_total",
    "bytes",
    "Bytes sent from the network namespace of the owner. Owners on the host's network have none.",
    _NET_SOURCE,
)
RECEIVE_PACKETS = _detail(
    "hw_owner_network_receive_packets_total",
    "packets",
    "Packets received in the network namespace of the owner. Owners on the host's network have none.",
    _NET_SOURCE,
)
TRANSMIT_PACKETS = _detail(
    "hw_owner_network_transmit_packets_total",
    "packets",
    "Packets sent from the network namespace of the owner. Owners on the host's network have none.",
    _NET_SOURCE,
)
_RDMA_SOURCE = "rdma.current, where the kernel's rdma controller is on"
RDMA_HANDLES = _detail(
    "hw_owner_rdma_hca_handles", "", "Contexts of the device that the owner's processes opened.", _RDMA_SOURCE, "device"
)
RDMA_OBJECTS = _detail(
    "hw_owner_rdma_hca_objects",
    "",
    "Objects of the device, of all types but contexts, that the owner's processes made.",
    _RDMA_SOURCE,
    "device",
)
DROPPED = Metric(
    name="hw_owner_usage_dropped",
    kind=Kind.GAUGE,
    help="Owners beyond the budget: their gauges are in the owner `other`, and no owner has counters.",
    source="the setting collector.owner_usage.most_owners",
)


class Shape:
    """The columns of a table, behind the owner's labels: counters first."""

    def __init__(self, counters: tuple[Cell, ...], gauges: tuple[Cell, ...]) -> None:
        self.counters = counters
        self.gauges = gauges
        self.cells = (*counters, *gauges)
        self._scales = [scale_of(metric) for metric, _ in counters]

    def shown(self, counters: Iterable[int | None], gauges: Iterable[int | None]) -> list[Value]:
        """The row of one owner."""
        row: list[Value] = [
            count if count is None or scale == 1 else count / scale for count, scale in zip(counters, self._scales)
        ]
        row += gauges
        return row


def _plain(*metrics: Metric) -> tuple[Cell, ...]:
    return tuple((metric, ()) for metric in metrics)


MAIN = Shape(_plain(CPU_SECONDS, THROTTLED_SECONDS), _plain(MEMORY_USAGE))
DETAIL = Shape(
    (
        *_plain(OOM_KILLS, READ_BYTES, WRITE_BYTES),
        *((metric, (resource,)) for resource in RESOURCES for metric in (PRESSURE_SOME, PRESSURE_FULL)),
    ),
    _plain(MEMORY_ANON, MEMORY_FILE, MEMORY_PEAK, MEMORY_LIMIT, PIDS),
)
NETWORK = Shape(_plain(RECEIVE_BYTES, TRANSMIT_BYTES, RECEIVE_PACKETS, TRANSMIT_PACKETS), ())
RDMA = Shape((), _plain(RDMA_HANDLES, RDMA_OBJECTS))
SHAPES = {"sample": MAIN, "detail": DETAIL, "network": NETWORK}  # by table
METRICS = tuple(dict.fromkeys(metric for shape in (MAIN, DETAIL, NETWORK, RDMA) for metric, _ in shape.cells))
