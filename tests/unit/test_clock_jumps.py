# SPDX-License-Identifier: MIT
"""Every collector there is, on the rich host, while the wall clock is set: nothing that is sampled notices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hwinfod.core.catalog import catalog_of
from hwinfod.core.codec import Value
from hwinfod.core.health import State
from hwinfod.core.host import Host
from hwinfod.core.ring import Ring
from hwinfod.core.runner import Runner
from hwinfod.engine import Declared, discover
from hwinfod.settings import SETTINGS, Settings, Table
from hwinfod.sources.files import Roots
from tests.fixtures.host import Host as FixtureHost
from tests.unit.core.builders import FakeClock

# They ask this machine's kernel: its clocks (tests of their own), its file systems, what the daemon itself costs.
_OF_THIS_MACHINE = {"clock", "daemon", "filesystems"}
_HOUR, _YEAR = 3600.0, 365 * 86400.0
_TICKS = 8


Rows = dict[str, list[tuple[int, list[Value]]]]


def sample(directory: Path, steps: Sequence[float]) -> tuple[Host, Rows]:
    """The host and its samples, by table, while it moves for `_TICKS` seconds; before second i the wall clock is set
    by `steps[i]`."""
    fixture = FixtureHost(str(directory), seed=1)
    kinds = [kind for kind in discover() if kind.name not in _OF_THIS_MACHINE]
    declared = [Declared.of(kind) for kind in kinds]
    settings = Settings.of(Table([*SETTINGS, *(setting for item in declared for setting in item.settings())]))
    clock = FakeClock()
    roots = Roots(fixture.procfs, fixture.sysfs, fixture.rootfs)
    host = Host(clock, roots, Ring(64 << 20, 3600), catalog_of(kinds))
    runners = [Runner(kind, host, settings, kind.beats()) for kind in kinds]
    host.runners = {runner.name: runner for runner in runners}
    rows: Rows = {}
    for step in steps:
        clock.step_wall(step)
        for runner in runners:
            for method in runner.intervals:
                if runner.is_open or method == runner.opening_method:
                    runner.run(method)
                    row = runner.tables[method].latest
                    if row is not None:
                        rows.setdefault(runner.tables[method].name, []).append((row.boottime_ns, row.values))
        fixture.advance(1.0)
        clock.advance(1.0)
    for runner in runners:
        runner.close()
    return host, rows


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> tuple[Host, Rows]:
    return sample(tmp_path_factory.mktemp("still"), [0.0] * _TICKS)


def test_the_rich_host_is_sampled(still: tuple[Host, Rows]) -> None:
    runners = still[0].runners.values()
    working = {runner.name for runner in runners if runner.health.state is State.OK}
    assert {"cpu", "disks", "network", "sensors", "rapl", "edac", "pcie", "rdma", "pressure"} <= working
    assert [runner.health.reason for runner in runners if runner.health.state is State.FAILING] == []


@pytest.mark.parametrize(
    "steps",
    [
        [0, 0.3, _HOUR, -0.3, 0, -2 * _HOUR, 0.9, -60],
        [0, 0, -20 * _YEAR, 0, 0, 40 * _YEAR, 0, 0],
    ],
    ids=["hours", "years"],
)
def test_a_wall_clock_that_is_set_changes_no_sample(
    tmp_path: Path, still: tuple[Host, Rows], steps: list[float]
) -> None:
    host, rows = sample(tmp_path, steps)
    assert {r.name: r.health.state for r in host.runners.values()} == {
        r.name: r.health.state for r in still[0].runners.values()
    }
    assert rows.keys() == still[1].keys()
    for table, found in rows.items():
        assert found == still[1][table], table
