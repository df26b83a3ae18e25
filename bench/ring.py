# SPDX-License-Identifier: MIT
"""What the ring takes for a value, on real samples under load and on the fixture host that moves; and how long one
series over an hour takes to read."""

from __future__ import annotations

import os
import tempfile
import time
from itertools import pairwise
from statistics import median

from bench.cost import IN_MEMORY
from bench.report import Line
from hwinfod.core.block import Row
from hwinfod.core.catalog import catalog_of
from hwinfod.core.clock import Clock
from hwinfod.core.host import Host
from hwinfod.core.metric import Kind, Metric
from hwinfod.core.ring import BLOCK_ROWS, Ring
from hwinfod.core.runner import Runner
from hwinfod.core.series import Layout, SeriesIndex
from hwinfod.engine import Declared, discover
from hwinfod.settings import SETTINGS, Settings, Table
from hwinfod.sources.files import Roots
from tests.fixtures.host import Host as FixtureHost

_BLOCKS = 2
_FAST = 0.05  # seconds between two samples: the block is full sooner, its values change less


def measure() -> list[Line]:
    lines = _density("real host under load", Roots(), lambda: _work(1.0))
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory:
        moving = FixtureHost(directory, seed=1)
        roots = Roots(moving.procfs, moving.sysfs, moving.rootfs)
        lines += _density("fixture host that moves", roots, lambda: moving.advance(1.0))
    return [*lines, _read_time()]


def _work(seconds: float) -> None:
    """Load: some computing, some files, then the rest of the second."""
    end = time.monotonic() + seconds
    with tempfile.TemporaryFile() as file:
        while time.monotonic() < end - 0.6 * seconds:
            file.write(os.urandom(4096))
    time.sleep(max(0.0, end - time.monotonic()))


def _density(what: str, roots: Roots, between: object) -> list[Line]:
    assert callable(between)
    kinds = [kind for kind in discover() if kind.lane in ("host", "sensors")]
    declared = [Declared.of(kind) for kind in kinds]
    settings = Settings.of(Table([*SETTINGS, *(s for item in declared for s in item.settings())]))
    host = Host(Clock(), roots, Ring(1 << 30, 36000), catalog_of(kinds))
    runners = [Runner(kind, host, settings, dict.fromkeys(kind.beats(), 1.0)) for kind in kinds]
    host.runners = {runner.kind.name: runner for runner in runners}
    for _ in range(_BLOCKS * BLOCK_ROWS + 1):
        for runner in runners:
            for method in runner.intervals:
                runner.run(method)
        between()
    values = changing = size = 0
    for table in host.tables():
        for block in host.ring.blocks(table.name):
            size += block.size_bytes
            for series in block.layout.columns:
                column = block.read(series) if series is not None else None
                if column is not None:
                    present = [v for v in column if v is not None]
                    values += len(column)
                    changing += sum(1 for a, b in pairwise(present) if a != b)
    note = f"{values} values, {changing} changing, {size} bytes"
    return [
        Line(f"ring, {what}, a value", size / values, "B", 0.3, note=note),
        Line(f"ring, {what}, a changing value", size / max(1, changing), "B", 1.2),
    ]


def _read_time() -> Line:
    """One series of 4,000 columns, an hour of 1 s, three in ten of them changing."""
    metric = Metric(name="hw_bench", kind=Kind.GAUGE, help="X.", source="x", labels=("i",))
    index = SeriesIndex()
    series = [index.intern(metric, (str(i),)) for i in range(4000)]
    layout = Layout(series)
    state = [i * 1000 for i in range(4000)]
    ring = Ring(1 << 30, 36000)
    for second in range(60 * BLOCK_ROWS + 1):
        for i in range(second % 3, 4000, 3):
            state[i] += (i * second) % 997
        ring.append("t", Row(layout, second, second * 10**9, list(state)), 0)
    times = []
    for place in range(20):
        wanted = series[place * 199]
        before = time.perf_counter()
        points = ring.read("t", wanted, 0, 2**62)
        times.append(time.perf_counter() - before)
        assert len(points.values) == 60 * BLOCK_ROWS + 1
    return Line("one series of 4,000 over an hour, read", median(times) * 1e3, "ms", 10)
