# SPDX-License-Identifier: MIT
"""Who uses the GPUs, and how much of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import nvml_profiles as profiles
from tests.support.bench import Bench
from tests.support.nvml_machine import Machine, of
from tests.support.nvml_profiles import GIB, uuid
from tests.support.sysfs import put

pytestmark = pytest.mark.tier("compiler")

Start = Callable[..., Machine]

STAT = "100 (python) S 1 100 100 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0" + " 0" * 28


def test_processes_are_merged_by_the_largest_memory(a100: Machine) -> None:
    put(a100.directory / "proc/100", {"stat": STAT, "comm": "python"})
    put(a100.directory / "proc/300", {"stat": STAT, "comm": "nvidia-cuda-mps-server"[:15]})
    a100.fake.processes(0, "compute", [(100, 5 * GIB), (200, 2**64 - 1), (300, GIB), (0, GIB)])
    a100.fake.processes(0, "graphics", [(100, 4 * GIB)])
    a100.fake.processes(0, "mps", [(400, GIB)])
    bench = a100.bench()
    bench.run()
    now = bench.clock.wall_ns() // 1000
    a100.fake.samples(0, [(100, now + 1, 60, 30, 5, 0), (100, now + 2, 80, 50, 5, 0), (999, now, 100, 9, 9, 9)])
    values = bench.run("processes")
    assert values[of(0, "processes")] == 4
    batch = bench.host.holdings.current[uuid(0)]
    assert batch.totals == {"memory_bytes": 10 * GIB}
    held = {holding.pid: holding for holding in batch.holdings}
    assert held[100].role == "compute and graphics"
    assert held[100].start_time_ticks == 4711
    assert held[100].amounts["memory_bytes"] == 5 * GIB
    assert held[100].amounts["utilization_ratio"] == 0.7
    assert held[100].amounts["memory_utilization_ratio"] == 0.4
    assert "memory_bytes" not in held[200].amounts
    assert held[200].amounts["utilization_ratio"] == 0
    assert [held[300].role, held[400].role] == ["mps server (shared)", "mps client"]


def test_garbage_shares_are_no_shares(a100: Machine) -> None:
    a100.fake.processes(0, "compute", [(100, GIB)])
    bench = a100.bench()
    bench.run()
    now = bench.clock.wall_ns() // 1000
    a100.fake.samples(0, [(100, now + 1, 4_000_000_000, 0, 0, 0), (100, now + 2, 50, 0, 0, 0)])
    bench.run("processes")
    assert bench.host.holdings.current[uuid(0)].holdings[0].amounts["utilization_ratio"] == 0.5
    a100.fake.samples(0, [(100, now + 3, 4_000_000_000, 0, 0, 0)])
    bench.run("processes")
    assert bench.host.holdings.current[uuid(0)].holdings[0].amounts == {"memory_bytes": GIB}, "and no share of 0"


LISTS = [f"nvmlDeviceGet{kind}RunningProcesses" for kind in ("Compute", "Graphics", "MPSCompute")]


def test_an_older_driver_has_the_version_before(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    machine = start(profiles.a100(1), without=[f"{name}_v3" for name in LISTS] + [f"{LISTS[2]}_v2"])
    machine.fake.processes(0, "compute", [(100, GIB)])
    machine.fake.processes(0, "graphics", [(200, 2 * GIB)])
    bench = machine.bench()
    bench.run()
    for _ in range(2):
        bench.run("processes")
    held = {holding.pid: holding.amounts["memory_bytes"] for holding in bench.host.holdings.current[uuid(0)].holdings}
    assert held == {100: GIB, 200: 2 * GIB}
    said = [message for message in caplog.messages if "Processes" in message]
    assert said == [f"this driver or GPU does not support {LISTS[2]}_v2"]


def test_a_driver_that_tells_no_processes_is_noted(a100: Machine) -> None:
    a100.fake.fail(f"{LISTS[0]}_v3", 3, gpu=0)
    bench = a100.bench()
    bench.run()
    bench.run("processes")
    assert bench.skipped == {f"GPU 0 {LISTS[0]}_v3": f"{LISTS[0]}_v3: not supported"}
    assert uuid(0) not in bench.host.holdings.current
    assert uuid(1) in bench.host.holdings.current


def utilization(bench: Bench) -> float | None:
    """Of the only process of GPU 0, in the next scan."""
    bench.run("processes", after=5)
    return bench.host.holdings.current[uuid(0)].holdings[0].amounts.get("utilization_ratio")


@pytest.fixture
def bench(a100: Machine) -> Bench:
    a100.fake.processes(0, "compute", [(100, GIB)])
    bench = a100.bench()
    bench.run()
    return bench


def in_seconds(bench: Bench, seconds: float) -> int:
    """The wall clock then, as NVML has it."""
    return int(bench.clock.wall_ns() // 1000 + seconds * 1e6)


def test_a_time_to_come_is_garbage_and_no_look_waits_for_it(a100: Machine, bench: Bench) -> None:
    a100.fake.samples(0, [(100, in_seconds(bench, 4.5), 60, 0, 0, 0), (999, 2**63, 100, 9, 9, 9)])
    assert utilization(bench) == 0.6
    a100.fake.samples(0, [(100, in_seconds(bench, 4.5), 95, 0, 0, 0), (100, in_seconds(bench, 7), 5, 0, 0, 0)])
    assert utilization(bench) == 0.95
    a100.fake.samples(0, [(100, 2**63, 100, 9, 9, 9)])
    assert utilization(bench) is None


def test_a_clock_that_is_set_back_does_not_end_shares(a100: Machine, bench: Bench) -> None:
    a100.fake.samples(0, [(100, in_seconds(bench, 4.5), 60, 0, 0, 0)])
    assert utilization(bench) == 0.6
    bench.clock.step_wall(-3600)
    for share in (95, 40):
        a100.fake.samples(0, [(100, in_seconds(bench, 4.5), share, 0, 0, 0)])
        assert utilization(bench) == share / 100
