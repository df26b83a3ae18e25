# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from hwinfod.collectors import clock as module
from hwinfod.collectors.clock import UNSYNCHRONIZED, Clock
from hwinfod.core.check import evaluate
from hwinfod.core.event import EventKind
from hwinfod.errors import Denied
from hwinfod.sources.timex import ClockDiscipline
from tests.support.bench import Bench
from tests.support.sysfs import put

SECOND = 1_000_000_000
CLOCKSOURCE = "sys/devices/system/clocksource/clocksource0"
GOOD = ClockDiscipline(True, -0.0002, 1.5e-05, 0.012, 0.0001, 37, 0x2001)
UNSYNCED = ClockDiscipline(False, 0.0, 0.0, 16.0, 16.0, 0, 0x40)


class Kernel:
    """What adjtimex and the two clocks say."""

    def __init__(self) -> None:
        self.discipline: ClockDiscipline | Denied = GOOD
        self.offset_ns = 1_700_000_000 * SECOND

    def read(self) -> ClockDiscipline:
        if isinstance(self.discipline, Denied):
            raise self.discipline
        return self.discipline


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(module, "Timex", lambda: kernel)
    monkeypatch.setattr(module, "read_wall_offset", lambda: (kernel.offset_ns, 1000))
    return kernel


@pytest.fixture
def bench(kernel: Kernel, tmp_path: Path) -> Bench:
    put(tmp_path / CLOCKSOURCE, {"current_clocksource": "tsc"})
    return Bench(Clock, tmp_path)


def test_what_adjtimex_says(bench: Bench) -> None:
    values = bench.run()
    assert values == {
        "hw_clock_synchronized": 1,
        "hw_clock_offset_seconds": -0.0002,
        "hw_clock_maximum_error_seconds": 0.012,
        "hw_clock_estimated_error_seconds": 0.0001,
        "hw_clock_frequency_adjustment_ratio": 1.5e-05,
        "hw_clock_tai_offset_seconds": 37,
        "hw_clock_steps_total": 0,
    }


def test_steps_both_ways_are_counted_and_told(kernel: Kernel, bench: Bench) -> None:
    bench.run()
    kernel.offset_ns += 3600 * SECOND
    values = bench.run()
    assert (values["hw_clock_steps_total"], values["hw_clock_last_step_seconds"]) == (1, 3600.0)
    kernel.offset_ns -= 1_500_000
    values = bench.run()
    assert (values["hw_clock_steps_total"], values["hw_clock_last_step_seconds"]) == (2, -0.0015)
    assert bench.run()["hw_clock_steps_total"] == 2
    steps = [event for event in bench.events() if event.kind is EventKind.CLOCK_STEP]
    assert [event.text for event in steps] == [
        "the wall clock was set forward by 3600 s",
        "the wall clock was set back by 0.0015 s",
    ]


def test_a_refused_adjtimex_costs_itself(kernel: Kernel, bench: Bench) -> None:
    kernel.discipline = Denied("adjtimex(2)", 1)
    bench.run()
    kernel.offset_ns += SECOND
    assert bench.run() == {"hw_clock_steps_total": 1, "hw_clock_last_step_seconds": 1.0}
    assert "adjtimex" in bench.skipped
    kernel.discipline = GOOD
    assert bench.run()["hw_clock_synchronized"] == 1


def test_another_clocksource_leaves_an_event(tmp_path: Path, bench: Bench) -> None:
    bench.run()
    assert bench.infos() == {"hw_clock_info{clocksource=tsc}"}
    put(tmp_path / CLOCKSOURCE, {"current_clocksource": "hpet"})
    bench.run()
    assert bench.infos() == {"hw_clock_info{clocksource=hpet}"}
    (event,) = [event for event in bench.events() if event.kind is EventKind.DEVICE_CHANGED]
    assert event.attributes == {"clocksource": "tsc -> hpet"}


def test_five_minutes_without_discipline_are_wrong(kernel: Kernel, bench: Bench) -> None:
    bench.host.runners = {"clock": bench.runner}
    kernel.discipline = UNSYNCED
    for _ in range(200):
        bench.run()
    assert evaluate(bench.host, [UNSYNCHRONIZED]) == []
    for _ in range(101):
        bench.run()
    assert [finding.text for finding in evaluate(bench.host, [UNSYNCHRONIZED])] == ["clock not synchronised"]
    kernel.discipline = GOOD
    bench.run()
    assert evaluate(bench.host, [UNSYNCHRONIZED]) == []


def test_this_machine() -> None:
    values = Bench(Clock).run()
    assert values["hw_clock_steps_total"] == 0
    assert values.get("hw_clock_maximum_error_seconds", 0) >= 0
