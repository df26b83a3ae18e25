# SPDX-License-Identifier: MIT
"""Small parts for tests of the core: a clock that stands still, metrics, rows, a collector kind."""

from __future__ import annotations

import struct

from hwinfod.core.block import Row
from hwinfod.core.catalog import catalog_of
from hwinfod.core.clock import Clock
from hwinfod.core.collector import Collector, beat
from hwinfod.core.host import Host
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.ring import Ring
from hwinfod.core.series import Layout, SeriesIndex
from hwinfod.sources.files import Roots

SECOND = 1_000_000_000
EPOCH = 1_700_000_000 * SECOND

VALUE = Metric(name="hw_test_value", kind=Kind.GAUGE, help="A value.", source="a test", labels=("thing",))
COUNT = Metric(name="hw_test_count_total", kind=Kind.COUNTER, help="A count.", source="a test", labels=("thing",))


class FakeClock(Clock):
    """Time that moves when told. Booted at monotonic 0; the wall clock can be stepped."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.now = seconds
        self.asleep = 0.0
        self.wall_at_zero_ns = EPOCH

    def monotonic(self) -> float:
        return self.now

    def boottime_ns(self) -> int:
        return int((self.now + self.asleep) * SECOND)

    def wall_ns(self) -> int:
        return self.wall_at_zero_ns + self.boottime_ns()

    def advance(self, seconds: float) -> None:
        self.now += seconds

    def step_wall(self, seconds: float) -> None:
        self.wall_at_zero_ns += int(seconds * SECOND)

    def suspend(self, seconds: float) -> None:
        self.asleep += seconds


def make_host(clock: Clock, *kinds: type[Collector], ring_bytes: int = 16 << 20) -> Host:
    return Host(clock, Roots(), Ring(ring_bytes, 3600), catalog_of(kinds))


def make_series(index: SeriesIndex, *things: str, metric: Metric = VALUE):
    return [index.intern(metric, (thing,)) for thing in things]


def make_rows(layout: Layout, columns, *, start: int = 0, first_sequence: int = 1) -> list[Row]:
    """Rows a second apart out of columns of values."""
    return [Row(layout, first_sequence + i, start + i * SECOND, list(values)) for i, values in enumerate(zip(*columns))]


def identical(one, other) -> bool:
    """Same types, same bit patterns: what lossless means."""
    return len(one) == len(other) and all(
        type(a) is type(b) and (struct.pack("d", a) == struct.pack("d", b) if isinstance(a, float) else a == b)
        for a, b in zip(one, other)
    )


class Counting(Collector):
    """Counts its samples; class attributes steer what it does."""

    name = "counting"
    summary = "counts"
    lane = "test"
    fault: Exception | None = None
    opened = 0
    closed = 0

    def open(self) -> None:
        type(self).opened += 1
        if self.fault is not None:
            raise self.fault
        self.group = self.table.bind((VALUE,), "a")
        self.samples = 0

    @beat(seconds=1)
    def sample(self) -> None:
        if self.fault is not None:
            raise self.fault
        self.samples += 1
        self.group.set((self.samples,))

    def close(self) -> None:
        type(self).closed += 1


__all__ = ["COUNT", "SECOND", "VALUE", "Counting", "FakeClock", "Level", "identical", "make_host", "make_rows"]
