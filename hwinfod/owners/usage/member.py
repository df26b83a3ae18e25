# SPDX-License-Identifier: MIT
"""One cgroup's figures, out of whichever hierarchy has its controller. Descriptors are kept while it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hwinfod.errors import ReadError
from hwinfod.owners.usage.families import RESOURCES
from hwinfod.sources.cgroup_stat import parse_blkio, parse_figure, parse_io, parse_limit, parse_value
from hwinfod.sources.files import Attribute
from hwinfod.sources.proc_pressure import parse_some_microseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwinfod.owners.identity import Owner
    from hwinfod.owners.usage.accounts import Figures, Labels
    from hwinfod.sources.cgroup_stat import DeviceBytes
    from hwinfod.sources.cgroupfs import Hierarchies

T = TypeVar("T")
# By controller: the file of v2, the controller and the file of v1.
_FILES = {
    "cpu": ("cpu.stat", "cpuacct", "cpuacct.usage"),
    "throttle": ("cpu.stat", "cpu", "cpu.stat"),
    "memory": ("memory.current", "memory", "memory.usage_in_bytes"),
    "memory_stat": ("memory.stat", "memory", "memory.stat"),
    "peak": ("memory.peak", "memory", "memory.max_usage_in_bytes"),
    "limit": ("memory.max", "memory", "memory.limit_in_bytes"),
    "oom": ("memory.events", "memory", "memory.oom_control"),
    "io": ("io.stat", "blkio", "blkio.throttle.io_service_bytes_recursive"),
    "pids": ("pids.current", "pids", "pids.current"),
}
MOST_FILES = len(_FILES) + len(RESOURCES)


class Member:
    """`since` is when it was first seen (monotonic); `is_large` whether it ever used enough to be shown. `labels` are
    those of core.owner.LABELS, `network_labels` those of whom its network belongs to: containers of a pod share it.
    One that `keeps` has up to `MOST_FILES` descriptors open."""

    def __init__(self, hierarchies: Hierarchies, path: str, owner: Owner, since: float, *, keeps: bool) -> None:
        self.path = path
        self.owner = owner
        self.since = since
        self.is_large = False
        self.last_cpu: int | None = None
        self.labels: Labels = ()
        self.network_labels: Labels = ()
        self._keeps = keeps
        self._legacy: set[str] = set()
        self._hierarchies = hierarchies
        self._files: dict[str, Attribute | None] = {}

    def usage(self) -> tuple[Figures, Figures]:
        """Microseconds of processor time and of throttling; bytes of memory."""
        data = self._read("cpu")
        if "cpu" in self._legacy:
            used = None if data is None else parse_figure(data) // 1000
            held = self._value("throttle", b"throttled_time")
            throttled = None if held is None else held // 1000
        else:
            used, throttled = (None, None) if data is None else (
                parse_value(data, b"usage_usec"), parse_value(data, b"throttled_usec"),
            )  # fmt: skip
        return (used, throttled), (self._parse("memory", parse_figure),)

    def detail(self, is_counted: Callable[[str], bool]) -> tuple[Figures, Figures]:
        """In the order of families.DETAIL_COUNTERS and DETAIL_GAUGES. `is_counted` says whether the bytes of a block
        device are counted, or those of what it consists of."""
        devices = self._parse("io", self._parse_io)
        counted = None if devices is None else [device for device in devices if is_counted(device.device)]
        memory = self._read("memory_stat")
        names = (b"total_rss", b"total_cache") if "memory_stat" in self._legacy else (b"anon", b"file")
        counters = (
            self._value("oom", b"oom_kill"),
            None if counted is None else sum(device.read_bytes for device in counted),
            None if counted is None else sum(device.written_bytes for device in counted),
            *map(self._stalled, RESOURCES),
        )
        gauges = (
            *(None if memory is None else parse_value(memory, name) for name in names),
            self._parse("peak", parse_figure),
            self._parse("limit", parse_limit),
            self._parse("pids", parse_figure),
        )
        return counters, gauges

    def _parse_io(self, data: bytes) -> list[DeviceBytes]:
        return parse_blkio(data) if "io" in self._legacy else parse_io(data)

    def _value(self, what: str, key: bytes) -> int | None:
        data = self._read(what)
        return None if data is None else parse_value(data, key)

    def _parse(self, what: str, parse: Callable[[bytes], T]) -> T | None:
        data = self._read(what)
        return None if data is None else parse(data)

    def _stalled(self, resource: str) -> int | None:
        return self._parse(f"{resource}.pressure", parse_some_microseconds)

    def _read(self, what: str) -> bytes | None:
        """None where this cgroup has no such file: its controller is off. Asked for again with `look_again`."""
        try:
            file = self._files[what]
        except KeyError:
            file = self._files[what] = self._find(what)
        if file is None:
            return None
        try:
            data = file.read()
        except ReadError:
            file.close()
            self._files[what] = None
            return None
        if not self._keeps:
            file.close()
        return data

    def _find(self, what: str) -> Attribute | None:
        unified, controller, legacy = _FILES.get(what, (what, "", ""))
        if controller in self._hierarchies.legacy:
            self._legacy.add(what)
            return Attribute(f"{self._hierarchies.legacy[controller]}{self.path}/{legacy}")
        return Attribute(f"{self._hierarchies.unified}{self.path}/{unified}") if self._hierarchies.unified else None

    def look_again(self) -> None:
        """What was not there may have come: systemd turns controllers on when a neighbour wants one."""
        self._files = {what: file for what, file in self._files.items() if file is not None}
