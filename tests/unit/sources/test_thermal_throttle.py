# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

from hwinfod.sources.cpu_topology import Cpu
from hwinfod.sources.files import Roots
from hwinfod.sources.thermal_throttle import SocketThrottling, Throttling, has_thermal_throttle, read_throttling


def cpu(number: int, socket: int, core: str) -> Cpu:
    return Cpu(number, online=True, socket=socket, core=core, numa_node=None, microcode="")


def write(sysfs: Path, number: int, **counts: int) -> None:
    directory = sysfs / "devices/system/cpu" / f"cpu{number}" / "thermal_throttle"
    directory.mkdir(parents=True)
    for name, count in counts.items():
        (directory / name).write_text(f"{count}\n")


def test_threads_of_a_core_and_of_a_socket_are_counted_once(tmp_path: Path) -> None:
    roots = Roots(sysfs=str(tmp_path))
    for number, core, package in ((0, 10, 100), (1, 3, 100), (2, 10, 100), (3, 3, 100)):
        write(
            tmp_path,
            number,
            core_throttle_count=core,
            core_throttle_total_time_ms=core * 2,
            package_throttle_count=package,
            package_throttle_total_time_ms=package * 2,
        )
    cpus = [cpu(0, 0, "0,2"), cpu(1, 0, "1,3"), cpu(2, 0, "0,2"), cpu(3, 0, "1,3")]
    assert has_thermal_throttle(roots, 0)
    assert read_throttling(roots, cpus) == {0: SocketThrottling(Throttling(13, 26), Throttling(100, 200))}


def test_each_socket_by_itself_and_old_kernels_without_times(tmp_path: Path) -> None:
    write(tmp_path, 0, core_throttle_count=1, package_throttle_count=2)
    write(tmp_path, 1, core_throttle_count=3, package_throttle_count=4)
    found = read_throttling(Roots(sysfs=str(tmp_path)), [cpu(0, 0, "0"), cpu(1, 1, "1")])
    assert found[1] == SocketThrottling(Throttling(3, None), Throttling(4, None))
    assert set(found) == {0, 1}


def test_nothing_there_is_none_not_zero(tmp_path: Path) -> None:
    roots = Roots(sysfs=str(tmp_path))
    assert not has_thermal_throttle(roots, 0)
    assert read_throttling(roots, [cpu(0, 0, "0")]) == {0: SocketThrottling(Throttling(), Throttling())}
