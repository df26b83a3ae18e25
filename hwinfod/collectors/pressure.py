# SPDX-License-Identifier: MIT
"""Pressure stall information: work that waits for processor, memory, io or interrupts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._interval import TimeShares
from hwinfod.core.check import Check
from hwinfod.core.collector import Collector, beat
from hwinfod.core.event import Severity
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.errors import Absent, ReadError
from hwinfod.sources.files import SeqFile
from hwinfod.sources.proc_pressure import RESOURCES, parse_pressure

if TYPE_CHECKING:
    from hwinfod.core.codec import Value
    from hwinfod.core.table import Group
    from hwinfod.sources.proc_pressure import Stall

_SOURCE = "/proc/pressure/{cpu,memory,io,irq}, Documentation/accounting/psi.rst"
_LABELS = ("resource",)
_SOME = "at least one task waited for the resource"
_FULL = "all tasks that were not idle waited for the resource at once"


def _family(name: str, kind: Kind, unit: str, help_: str, level: Level = Level.STANDARD) -> Metric:
    return Metric(name=name, kind=kind, unit=unit, help=help_, source=_SOURCE, labels=_LABELS, level=level)


SOME_SECONDS = _family("hw_pressure_some_seconds_total", Kind.COUNTER, "seconds", f"Time in which {_SOME}.")
FULL_SECONDS = _family("hw_pressure_full_seconds_total", Kind.COUNTER, "seconds", f"Time in which {_FULL}.")
SOME_RATIO = _family(
    "hw_pressure_some_ratio", Kind.GAUGE, "ratio", f"Part of the last interval in which {_SOME}.", Level.DETAILED
)
FULL_RATIO = _family(
    "hw_pressure_full_ratio", Kind.GAUGE, "ratio", f"Part of the last interval in which {_FULL}.", Level.DETAILED
)
SOME_MINUTE_RATIO = _family(
    "hw_pressure_some_1m_ratio",
    Kind.GAUGE,
    "ratio",
    f"Part of the last minute in which {_SOME}, as the kernel averages it.",
    Level.DETAILED,
)
FULL_MINUTE_RATIO = _family(
    "hw_pressure_full_1m_ratio",
    Kind.GAUGE,
    "ratio",
    f"Part of the last minute in which {_FULL}, as the kernel averages it.",
    Level.DETAILED,
)

_SOME_METRICS = (SOME_SECONDS, SOME_RATIO, SOME_MINUTE_RATIO)
_FULL_METRICS = (FULL_SECONDS, FULL_RATIO, FULL_MINUTE_RATIO)

STALLED = Check(
    name="pressure_full",
    metric=FULL_MINUTE_RATIO,
    wrong=lambda ratio: ratio > 0.1,
    severity=Severity.WARNING,
    text="everything waits for {resource}, {value:.0%} of the last minute",
    remedy="hwinfoctl show pressure",
)


class Pressure(Collector):
    """The kernel reckons its averages anew every two seconds: kernel/sched/psi.c, PSI_FREQ."""

    name = "pressure"
    summary = "pressure stall information of cpu, memory, io and irq"
    in_node_exporter = True

    def open(self) -> None:
        self.files: dict[str, SeqFile] = {}
        self.groups: dict[tuple[str, str], Group] = {}
        self.shares = TimeShares()
        for resource in RESOURCES:
            file = SeqFile(self.roots.proc("pressure", resource))
            try:
                pressure = parse_pressure(file.read())
            except ReadError:
                continue
            self.files[resource] = file
            if pressure.some is not None:
                self.groups[resource, "some"] = self.table.bind(_SOME_METRICS, resource)
            # Of the host as a whole the kernel defines no full stall of cpu and writes zeros.
            if pressure.full is not None and resource != "cpu":
                self.groups[resource, "full"] = self.table.bind(_FULL_METRICS, resource)
        if not self.files:
            # Built without CONFIG_PSI, or switched off: some distributions need psi=1 on the kernel's command line.
            raise Absent("the kernel keeps no pressure stall information (psi=1 on its command line turns it on)")

    @beat(seconds=2)
    def sample(self) -> None:
        for resource, file in self.files.items():
            pressure = parse_pressure(file.read())
            now = self.host.clock.monotonic()
            for kind, stall in (("some", pressure.some), ("full", pressure.full)):
                group = self.groups.get((resource, kind))
                if group is not None and stall is not None:
                    group.set(self._row(resource, kind, stall, now))

    def _row(self, resource: str, kind: str, stall: Stall, now: float) -> tuple[Value, ...]:
        seconds = stall.total_microseconds / 1_000_000
        return seconds, self.shares.update((resource, kind), seconds, now), stall.ratio_60s
