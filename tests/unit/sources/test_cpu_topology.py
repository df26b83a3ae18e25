# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.cpu_topology import parse_cpu_list, read_topology
from hwinfod.sources.files import Roots


@pytest.mark.parametrize(
    ("data", "numbers"),
    [(b"0-3,8,10-11\n", (0, 1, 2, 3, 8, 10, 11)), (b"0\n", (0,)), (b"\n", ()), (b"", ()), (b"5-5", (5,))],
)
def test_cpu_list(data: bytes, numbers: tuple[int, ...]) -> None:
    assert parse_cpu_list(data) == numbers


@pytest.mark.parametrize("data", [b"a", b"3-1", b"1-", b"-1", b"1,,2", b"0-99999999999", b"(null)", b"0-" + b"9" * 400])
def test_not_a_cpu_list(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_cpu_list(data)


@given(st.binary() | st.text("0123456789-,\n ").map(str.encode))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        numbers = parse_cpu_list(data)
    except ParseError:
        return
    assert all(0 <= number < 65536 for number in numbers)


@given(st.lists(st.integers(0, 4095), unique=True).map(sorted))
def test_single_numbers_come_back(numbers: list[int]) -> None:
    assert parse_cpu_list(",".join(map(str, numbers)).encode()) == tuple(numbers)


def make_cpu(sysfs: Path, number: int, socket: int, siblings: str, microcode: str = "") -> None:
    topology = sysfs / "devices/system/cpu" / f"cpu{number}" / "topology"
    topology.mkdir(parents=True)
    (topology / "physical_package_id").write_text(f"{socket}\n")
    (topology / "thread_siblings_list").write_text(f"{siblings}\n")
    if microcode:
        (topology.parent / "microcode").mkdir()
        (topology.parent / "microcode/version").write_text(f"{microcode}\n")


def make_node(sysfs: Path, number: int, cpus: str) -> None:
    node = sysfs / "devices/system/node" / f"node{number}"
    node.mkdir(parents=True)
    (node / "cpulist").write_text(f"{cpus}\n")


def test_two_sockets_with_threads_and_one_processor_offline(tmp_path: Path) -> None:
    for number in range(8):
        make_cpu(tmp_path, number, socket=number // 2 % 2, siblings=f"{number % 4},{number % 4 + 4}", microcode="0x2b")
    # An offline processor has no topology directory at all.
    (tmp_path / "devices/system/cpu/cpu8").mkdir()
    (tmp_path / "devices/system/cpu/cpufreq").mkdir()
    (tmp_path / "devices/system/cpu/online").write_text("0-7\n")
    make_node(tmp_path, 0, "0-1,4-5")
    make_node(tmp_path, 1, "2-3,6-8")
    topology = read_topology(Roots(sysfs=str(tmp_path)))
    assert [cpu.number for cpu in topology.cpus] == list(range(9))
    assert len(topology.online) == 8
    assert topology.cores == 4
    assert topology.sockets == (0, 1)
    assert [cpu.numa_node for cpu in topology.cpus] == [0, 0, 1, 1, 0, 0, 1, 1, 1]
    assert topology.cpus[0].microcode == "0x2b"


def test_firmware_that_names_no_socket(tmp_path: Path) -> None:
    make_cpu(tmp_path, 0, socket=-1, siblings="0")
    make_cpu(tmp_path, 1, socket=-1, siblings="1")
    (tmp_path / "devices/system/cpu/online").write_text("0-1\n")
    topology = read_topology(Roots(sysfs=str(tmp_path)))
    assert (topology.cores, topology.sockets) == (2, (0,))
    assert topology.cpus[0].socket is None
    assert topology.cpus[0].numa_node is None


def test_no_sysfs_has_no_processors(tmp_path: Path) -> None:
    assert read_topology(Roots(sysfs=str(tmp_path / "none"))).cpus == ()


def test_the_real_host_agrees_with_psutil() -> None:
    topology = read_topology(Roots())
    assert len(topology.online) == psutil.cpu_count()
    assert topology.cores == psutil.cpu_count(logical=False)
