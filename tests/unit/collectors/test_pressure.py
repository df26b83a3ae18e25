# SPDX-License-Identifier: MIT
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwinfod.collectors.pressure import STALLED, Pressure
from hwinfod.core.check import evaluate
from hwinfod.core.health import State
from tests.support.bench import Bench
from tests.support.sysfs import put


def line(kind: str, total: int, minute: float = 0.0) -> str:
    return f"{kind} avg10=0.00 avg60={minute:.2f} avg300=0.00 total={total}"


def show(directory: Path, some: int, full: int, minute: float = 0.0) -> None:
    both = f"{line('some', some)}\n{line('full', full, minute)}"
    put(directory / "proc/pressure", {"cpu": both, "memory": both, "io": both, "irq": line("full", full)})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    show(tmp_path, 4_000_000, 1_000_000)
    return Bench(Pressure, tmp_path)


def test_seconds_and_ratios(tmp_path: Path, bench: Bench) -> None:
    values = bench.run()
    assert values["hw_pressure_some_seconds_total{resource=memory}"] == 4.0
    assert "hw_pressure_some_ratio{resource=memory}" not in values
    show(tmp_path, 4_500_000, 1_100_000, minute=7.5)
    values = bench.run()
    assert values["hw_pressure_some_ratio{resource=memory}"] == 0.5
    assert values["hw_pressure_full_ratio{resource=irq}"] == 0.1
    assert values["hw_pressure_full_1m_ratio{resource=io}"] == 0.075


def test_what_the_kernel_does_not_define_is_no_series(bench: Bench) -> None:
    values = bench.run()
    assert "hw_pressure_full_seconds_total{resource=cpu}" not in values
    assert "hw_pressure_some_seconds_total{resource=irq}" not in values


def test_kernels_without_irq_or_without_any(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "proc/pressure/irq").unlink()
    assert not any("irq" in name for name in bench.run())
    shutil.rmtree(tmp_path / "proc/pressure")
    bench = Bench(Pressure, tmp_path)
    assert bench.attempt() is State.ABSENT
    assert "psi=1" in bench.reason


def test_a_minute_of_stalls_is_wrong(tmp_path: Path, bench: Bench) -> None:
    show(tmp_path, 0, 0, minute=10.0)
    bench.run()
    bench.host.runners = {"pressure": bench.runner}
    assert evaluate(bench.host, [STALLED]) == []
    show(tmp_path, 0, 0, minute=12.5)
    bench.run()
    assert {finding.text for finding in evaluate(bench.host, [STALLED])} == {
        "everything waits for memory, 12% of the last minute",
        "everything waits for io, 12% of the last minute",
    }
