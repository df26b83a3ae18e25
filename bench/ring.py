# SPDX-License-Identifier: MIT
"""What the ring takes for a value, on real samples under load and on the fixture host that moves; and how long one
series over an hour takes to read."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import gcd, log2
from statistics import median

from bench.cost import IN_MEMORY
from bench.report import Line
from hwinfod.core.block import Block, Row
from hwinfod.core.catalog import catalog_of
from hwinfod.core.clock import Clock
from hwinfod.core.codec import Value
from hwinfod.core.host import Host
from hwinfod.core.metric import Kind, Metric
from hwinfod.core.ring import BLOCK_ROWS, MERGED_BLOCKS, Ring
from hwinfod.core.runner import Runner
from hwinfod.core.series import Layout, Series, SeriesIndex
from hwinfod.engine import Declared, discover
from hwinfod.settings import SETTINGS, Settings, Table
from hwinfod.sources.files import Roots
from tests.fixtures.host import Host as FixtureHost

_SECONDS = 2 * MERGED_BLOCKS * BLOCK_ROWS + 1  # of the real host: blocks of small tables are packed three times
_MOVES = 4 * MERGED_BLOCKS * BLOCK_ROWS + 1  # of the fixture host, which needs no waiting


def measure() -> list[Line]:
    lines = _density("real host under load", Roots(), _SECONDS, lambda: _work(1.0), a_value=0.3)
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory:
        moving = FixtureHost(directory, seed=1)
        roots = Roots(moving.procfs, moving.sysfs, moving.rootfs)
        lines += _density("fixture host that moves", roots, _MOVES, lambda: moving.advance(1.0))
    return [*lines, _read_time()]


def _work(seconds: float) -> None:
    """Load: some computing, some files, then the rest of the second."""
    end = time.monotonic() + seconds
    with tempfile.TemporaryFile() as file:
        while time.monotonic() < end - 0.6 * seconds:
            file.write(os.urandom(4096))
    time.sleep(max(0.0, end - time.monotonic()))


def _density(
    what: str, roots: Roots, seconds: int, between: Callable[[], object], *, a_value: float | None = None
) -> list[Line]:
    """Every beat at its own interval, so that what changes seldom is not counted as often. `a_value` is the target
    for a host of which some part moves; of the fixture host more than half does, by its making."""
    kinds = [kind for kind in discover() if kind.lane in ("host", "sensors")]
    declared = [Declared.of(kind) for kind in kinds]
    settings = Settings.of(Table([*SETTINGS, *(s for item in declared for s in item.settings())]))
    host = Host(Clock(), roots, Ring(1 << 30, 36000), catalog_of(kinds))
    runners = [Runner(kind, host, settings, kind.beats()) for kind in kinds]
    host.runners = {runner.kind.name: runner for runner in runners}
    for second in range(seconds):
        for runner in runners:
            for method, interval in runner.intervals.items():
                if second % round(interval) == 0:
                    runner.run(method)
        between()
    counts = _Counts()
    for table in host.tables():
        counts.add(host.ring.blocks(table.name))
    note = f"{counts.values} values, {counts.changing / counts.values:.0%} changing, {counts.size} bytes"
    return [
        Line(f"ring, {what}, a value", counts.size / counts.values, "B", a_value, note=note),
        Line(f"ring, {what}, a changing value", counts.size / counts.changing, "B", 1.2),
        Line(
            f"ring, {what}, information in a changing value", counts.information / counts.changing, "B",
            note="order-0 entropy of the changes, series by series: what no coder of single series goes below",
        ),
    ]  # fmt: skip


class _Counts:
    """What sealed blocks hold, and what they take."""

    def __init__(self) -> None:
        self.values = self.changing = self.size = 0
        self.information = 0.0

    def add(self, blocks: Sequence[Block]) -> None:
        """The blocks of one table."""
        self.size += sum(block.size_bytes for block in blocks)
        columns: dict[Series, list[Value]] = {}
        for block in blocks:
            for series in block.layout.columns:
                if series is not None:
                    columns.setdefault(series, []).extend(block.read(series) or ())
        for column in columns.values():
            present = [value for value in column if value is not None]
            self.values += len(column)
            self.changing += sum(1 for one, other in pairwise(present) if one != other)
            self.information += _information(present)


def _information(values: Sequence[int | float]) -> float:
    """Bytes: how unlikely sign and highest bit of each change are among the changes of its series, and the bits
    below that one. Floats count in ten thousandths, pages and sectors as wholes."""
    whole = [round(value * 10_000) if isinstance(value, float) else value for value in values]
    changes = [other - one for one, other in pairwise(whole)]
    step = gcd(*changes) or 1
    lengths = [(change // step).bit_length() * (1 if change > 0 else -1) for change in changes]
    counts = Counter(lengths)
    bits = sum(n * (log2(len(lengths) / n) + max(0, abs(length) - 1)) for length, n in counts.items())
    return bits / 8


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
