# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

from hwinfod.collectors.cpu_throttle import CpuThrottle
from hwinfod.core.health import State
from tests.support.bench import Bench
from tests.support.sysfs import put


def make_cpu(directory: Path, cpu: int, socket: int, **throttle: int) -> None:
    files = {f"thermal_throttle/{name}": value for name, value in throttle.items()}
    put(
        directory / f"sys/devices/system/cpu/cpu{cpu}",
        {"topology/physical_package_id": socket, "topology/thread_siblings_list": cpu, **files},
    )
    put(directory / "sys/devices/system/cpu", {"online": f"0-{cpu}"})


def test_events_and_time_by_socket(tmp_path: Path) -> None:
    make_cpu(tmp_path, 0, 0, core_throttle_count=3, core_throttle_total_time_ms=1500, package_throttle_count=7)
    make_cpu(tmp_path, 1, 1, core_throttle_count=4, package_throttle_count=8, package_throttle_total_time_ms=20)
    assert Bench(CpuThrottle, tmp_path).run() == {
        "hw_cpu_core_throttles_total{socket=0}": 3,
        "hw_cpu_core_throttle_seconds_total{socket=0}": 1.5,
        "hw_cpu_package_throttles_total{socket=0}": 7,
        "hw_cpu_core_throttles_total{socket=1}": 4,
        "hw_cpu_package_throttles_total{socket=1}": 8,
        "hw_cpu_package_throttle_seconds_total{socket=1}": 0.02,
    }


def test_a_socket_that_goes_offline_has_no_series(tmp_path: Path) -> None:
    for cpu in (0, 1):
        make_cpu(tmp_path, cpu, cpu, core_throttle_count=1, package_throttle_count=1)
    bench = Bench(CpuThrottle, tmp_path)
    bench.run()
    put(tmp_path / "sys/devices/system/cpu", {"online": "0"})
    assert not any("socket=1" in name for name in bench.run())


def test_processors_that_do_not_count_are_absent(tmp_path: Path) -> None:
    make_cpu(tmp_path, 0, 0)
    assert Bench(CpuThrottle, tmp_path).attempt() is State.ABSENT
