# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

from hwinfod.collectors.load import Load
from hwinfod.core.health import State
from tests.support.bench import Bench
from tests.support.sysfs import put


def test_averages_and_uptime(tmp_path: Path) -> None:
    put(tmp_path / "proc", {"loadavg": "0.50 1.25 3.75 2/831 4711", "uptime": "4242.17 1.00"})
    assert Bench(Load, tmp_path).run() == {
        "hw_load1": 0.5,
        "hw_load5": 1.25,
        "hw_load15": 3.75,
        "hw_uptime_seconds": 4242.17,
    }


def test_without_procfs_there_is_none(tmp_path: Path) -> None:
    assert Bench(Load, tmp_path / "none").attempt() is State.ABSENT


def test_garbage_fails_and_says_where(tmp_path: Path) -> None:
    put(tmp_path / "proc", {"loadavg": "half 1.25 3.75 2/831 4711", "uptime": "4242.17 1.00"})
    bench = Bench(Load, tmp_path)
    assert (bench.attempt(), "/proc/loadavg" in bench.reason) == (State.FAILING, True)
