# SPDX-License-Identifier: MIT
"""Processors slowed because they were too hot, as Intel's count it themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.collector import Collector, beat
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.table import Groups
from hwinfod.errors import Absent
from hwinfod.sources.cpu_topology import read_online, read_topology
from hwinfod.sources.thermal_throttle import has_thermal_throttle, read_throttling

if TYPE_CHECKING:
    from hwinfod.core.codec import Value
    from hwinfod.sources.thermal_throttle import Throttling

_SOURCE = "/sys/devices/system/cpu/cpu*/thermal_throttle/"
_LABELS = ("socket",)

CORE_THROTTLES = Metric(
    name="hw_cpu_core_throttles_total",
    kind=Kind.COUNTER,
    help="Times that a core of the socket was slowed because it was too hot, over all of its cores.",
    source=f"{_SOURCE}core_throttle_count",
    labels=_LABELS,
)
CORE_SECONDS = Metric(
    name="hw_cpu_core_throttle_seconds_total",
    kind=Kind.COUNTER,
    unit="seconds",
    help="Time that cores of the socket were too hot, over all of its cores.",
    source=f"{_SOURCE}core_throttle_total_time_ms",
    labels=_LABELS,
    level=Level.DETAILED,
)
PACKAGE_THROTTLES = Metric(
    name="hw_cpu_package_throttles_total",
    kind=Kind.COUNTER,
    help="Times that the socket as a whole was slowed because it was too hot.",
    source=f"{_SOURCE}package_throttle_count",
    labels=_LABELS,
)
PACKAGE_SECONDS = Metric(
    name="hw_cpu_package_throttle_seconds_total",
    kind=Kind.COUNTER,
    unit="seconds",
    help="Time that the socket as a whole was too hot.",
    source=f"{_SOURCE}package_throttle_total_time_ms",
    labels=_LABELS,
    level=Level.DETAILED,
)

_METRICS = (CORE_THROTTLES, CORE_SECONDS, PACKAGE_THROTTLES, PACKAGE_SECONDS)


class CpuThrottle(Collector):
    """Two files a core are a millisecond on a large host: not for the host lane's beat."""

    name = "cpu_throttle"
    summary = "thermal throttling of processors (Intel)"
    lane = "cpufreq"
    in_node_exporter = True
    beyond_node_exporter = frozenset({CORE_SECONDS, PACKAGE_SECONDS})
    subsystems = frozenset({"cpu", "module"})

    def open(self) -> None:
        self.online = read_online(self.roots)
        if not any(has_thermal_throttle(self.roots, number) for number in self.online):
            raise Absent("these processors do not count thermal throttling")
        self.topology = read_topology(self.roots)
        self.sockets = Groups(self.table, lambda socket: [(metric, (socket,)) for metric in _METRICS])

    @beat(seconds=15)
    def sample(self) -> None:
        online = read_online(self.roots)
        if online != self.online:
            self.online, self.topology = online, read_topology(self.roots)
        for socket, throttling in read_throttling(self.roots, self.topology.online).items():
            self.sockets.set(str(socket), (*_row(throttling.cores), *_row(throttling.package)))
        self.sockets.sweep()


def _row(throttling: Throttling) -> tuple[Value, Value]:
    milliseconds = throttling.milliseconds
    return throttling.events, None if milliseconds is None else milliseconds / 1000
