# SPDX-License-Identifier: MIT
"""RAPL: energy that processors and their memory have used, and the power that follows from it.

The kernel's counter wraps after minutes to hours; ours starts at 0 with this collector and never does. A register
that a processor is interrupted for, and no more: this belongs on the lane of memory-backed files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.collector import Collector, beat
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.errors import Absent, Denied, ParseError, ReadError
from hwinfod.sources.powercap import EnergyReader, energy_between, read_zones

if TYPE_CHECKING:
    from hwinfod.core.codec import Value
    from hwinfod.core.host import Host
    from hwinfod.sources.powercap import RaplZone

_SOURCE = "/sys/class/powercap/intel-rapl:*/energy_uj"
_MICROJOULES = 1_000_000
# What a counter that ticks in 15 to 61 microjoules, read a millisecond early or late, knows of a second.
_DIGITS = 3


def _families(stem: str, what: str, level: Level) -> tuple[Metric, Metric]:
    labels = ("zone",) if stem == "platform" else ("package",)
    return (
        Metric(
            name=f"hw_{stem}_energy_joules_total",
            kind=Kind.COUNTER,
            unit="joules",
            help=f"Energy that {what} used since this collector started.",
            source=_SOURCE,
            labels=labels,
            level=level,
        ),
        Metric(
            name=f"hw_{stem}_power_watts",
            kind=Kind.GAUGE,
            unit="watts",
            help=f"Power that {what} drew over the last interval.",
            source=_SOURCE,
            labels=labels,
            level=level,
        ),
    )


# A package contains its cores, the platform contains all: families of their own, that nobody sums them up.
PACKAGE = _families("cpu_package", "a processor package", Level.STANDARD)
MEMORY = _families("memory", "the memory of a processor package", Level.STANDARD)
CORES = _families("cpu_cores", "all cores of a processor package", Level.DETAILED)
UNCORE = _families("cpu_uncore", "the graphics part of a processor package", Level.DETAILED)
PLATFORM = _families("platform", "the platform that the processor measures", Level.STANDARD)

_OF_DOMAIN = {"package": PACKAGE, "dram": MEMORY, "core": CORES, "uncore": UNCORE, "psys": PLATFORM}


class _Counter:
    """One zone: its energy without wraps, and its power."""

    def __init__(self, host: Host, zone: RaplZone) -> None:
        self.zone = zone
        self._clock = host.clock
        self._reader = EnergyReader(host.roots, zone)
        self._last: tuple[int, float] | None = None
        self._microjoules = 0

    def read(self) -> tuple[Value, Value]:
        """Joules and watts; no watts at the first look. Raises ReadError, ParseError."""
        now_microjoules, now = self._reader.read(), self._clock.monotonic()
        last, self._last = self._last, (now_microjoules, now)
        if last is None:
            return 0.0, None
        used = energy_between(last[0], now_microjoules, self.zone.range_microjoules)
        self._microjoules += used
        elapsed = now - last[1]
        watts = round(used / _MICROJOULES / elapsed, _DIGITS) if elapsed > 0 else None
        return round(self._microjoules / _MICROJOULES, _DIGITS), watts

    def close(self) -> None:
        self._reader.close()


class Rapl(Collector):
    name = "rapl"
    summary = "energy and power of processors and memory (RAPL)"
    in_node_exporter = True
    subsystems = frozenset({"module", "powercap"})

    def open(self) -> None:
        self.counters = [_Counter(self.host, zone) for zone in read_zones(self.roots)]
        if not self.counters:
            raise Absent("no RAPL zone in /sys/class/powercap")
        try:
            self.counters[0].read()
        except Denied as error:
            raise Absent(f"{error}; the kernel keeps it for root (CVE-2020-8694)") from None
        self.groups = [
            self.table.bind(_OF_DOMAIN[zone.domain], zone.package or zone.name)
            for zone in (counter.zone for counter in self.counters)
        ]

    @beat(seconds=1)
    def sample(self) -> None:
        readable = 0
        for counter, group in zip(self.counters, self.groups):
            try:
                group.set(counter.read())
                readable += 1
            except (ReadError, ParseError) as error:
                self.skip(counter.zone.name, error)
        if not readable:
            raise Absent("no RAPL zone can be read any more")

    def close(self) -> None:
        for counter in self.counters:
            counter.close()
