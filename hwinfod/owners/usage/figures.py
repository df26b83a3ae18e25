# SPDX-License-Identifier: MIT
"""Where the figures of a cgroup are, and how they read: by controller, in v2 or in v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hwinfod.owners.usage.families import RESOURCES
from hwinfod.owners.usage.kept_file import KeptFile
from hwinfod.sources.cgroup_stat import parse_blkio, parse_figure, parse_io, parse_limit, parse_rdma, parse_value
from hwinfod.sources.proc_pressure import parse_total_microseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwinfod.owners.usage.accounts import Figures
    from hwinfod.sources.cgroup_stat import DeviceBytes, RdmaObjects
    from hwinfod.sources.cgroupfs import Hierarchies

    Parse = Callable[[bytes], Figures]


class Source(NamedTuple):
    """The file of v2 and how it reads; the controller, the file of v1 and how that reads; how many figures it has."""

    unified: str
    parse: Parse
    controller: str = ""
    legacy: str = ""
    parse_legacy: Parse | None = None
    width: int = 1

    def open(self, hierarchies: Hierarchies, cgroup: str, *, keeps: bool) -> KeptFile[Figures]:
        """The file of one cgroup."""
        is_legacy = self.controller in hierarchies.legacy
        path = path_of(hierarchies, cgroup, self.unified, self.controller, self.legacy)
        parse = self.parse_legacy if is_legacy and self.parse_legacy is not None else self.parse
        return KeptFile(path, parse, (None,) * self.width, keeps=keeps)


def path_of(hierarchies: Hierarchies, cgroup: str, unified: str, controller: str, legacy: str) -> str:
    """The file of a cgroup in whichever hierarchy has the controller; "" where there is none."""
    if controller in hierarchies.legacy:
        return f"{hierarchies.legacy[controller]}{cgroup}/{legacy}"
    return f"{hierarchies.unified}{cgroup}/{unified}" if hierarchies.unified else ""


def _lines(*keys: bytes, scale: int = 1) -> Parse:
    """The figures behind some keys, divided by `scale`."""

    def parse(data: bytes) -> Figures:
        found = [parse_value(data, key) for key in keys]
        return tuple(None if figure is None else figure // scale for figure in found)

    return parse


def _figure(data: bytes) -> Figures:
    return (parse_figure(data),)


def _microseconds(data: bytes) -> Figures:
    return (parse_figure(data) // 1000,)


def _limit(data: bytes) -> Figures:
    return (parse_limit(data),)


_PROCESSOR = Source("cpu.stat", _lines(b"usage_usec", b"throttled_usec"), width=2)
_USED = Source("cpu.stat", _lines(b"usage_usec"), "cpuacct", "cpuacct.usage", _microseconds)
_THROTTLED = Source("cpu.stat", _lines(b"throttled_usec"), "cpu", "cpu.stat", _lines(b"throttled_time", scale=1000))
_MEMORY = Source("memory.current", _figure, "memory", "memory.usage_in_bytes", _figure)
_OOM = Source("memory.events", _lines(b"oom_kill"), "memory", "memory.oom_control", _lines(b"oom_kill"))
_PRESSURE = tuple(Source(f"{resource}.pressure", parse_total_microseconds, width=2) for resource in RESOURCES)
_STAT = (_lines(b"anon", b"file"), _lines(b"total_rss", b"total_cache"))
_GAUGES = (
    Source("memory.stat", _STAT[0], "memory", "memory.stat", _STAT[1], width=2),
    Source("memory.peak", _figure, "memory", "memory.max_usage_in_bytes", _figure),
    Source("memory.max", _limit, "memory", "memory.limit_in_bytes", _limit),
    Source("pids.current", _figure, "pids", "pids.current", _figure),
)
MOST_FILES = 3 + 2 + len(_PRESSURE) + len(_GAUGES) + 1


def main_sources(hierarchies: Hierarchies) -> tuple[Source, ...]:
    """In the order of families.MAIN. v1 has the times in nanoseconds, and those of two controllers."""
    is_legacy = hierarchies.legacy.keys() & {"cpu", "cpuacct"}
    return (*((_USED, _THROTTLED) if is_legacy else (_PROCESSOR,)), _MEMORY)


def detail_sources(is_counted: Callable[[str], bool]) -> tuple[Source, ...]:
    """In the order of families.DETAIL. `is_counted` says whether the bytes of a block device are counted, or those of
    what it consists of."""

    def summed(parse: Callable[[bytes], list[DeviceBytes]]) -> Parse:
        def of(data: bytes) -> Figures:
            counted = [device for device in parse(data) if is_counted(device.device)]
            return sum(device.read_bytes for device in counted), sum(device.written_bytes for device in counted)

        return of

    legacy = "blkio.throttle.io_service_bytes_recursive"
    io = Source("io.stat", summed(parse_io), "blkio", legacy, summed(parse_blkio), width=2)
    return (_OOM, io, *_PRESSURE, *_GAUGES)


def open_rdma(hierarchies: Hierarchies, cgroup: str, *, keeps: bool) -> KeptFile[tuple[RdmaObjects, ...]]:
    """What its processes made on RDMA devices, where the kernel has the controller."""
    path = path_of(hierarchies, cgroup, "rdma.current", "rdma", "rdma.current")
    return KeptFile(path, lambda data: tuple(parse_rdma(data)), (), keeps=keeps)
