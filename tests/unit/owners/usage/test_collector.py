# SPDX-License-Identifier: MIT
"""What owners use, on made-up hierarchies of v2 and of v1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hwinfod.core.health import State
from hwinfod.core.owner import ContainerName, Names
from hwinfod.owners.usage.collector import MOST_OWNERS, OwnerUsage
from tests.support.bench import Bench
from tests.support.owners import GIB, POD, UID, A, B, by_owner

Make = Callable[..., Path]


@pytest.fixture
def cgroup(tmp_path: Path) -> Make:
    """Makes a cgroup of v2 with its files."""
    root = tmp_path / "sys/fs/cgroup"
    root.mkdir(parents=True)
    (root / "cgroup.controllers").write_text("cpu io memory pids\n")

    def make(path: str, usec: int = 1_000_000, memory: int = GIB, **files: str) -> Path:
        directory = root / path
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "cpu.stat").write_text(f"usage_usec {usec}\nnr_throttled 2\nthrottled_usec 500000\n")
        (directory / "memory.current").write_text(f"{memory}\n")
        for name, text in files.items():
            (directory / name.replace("_", ".", 1)).write_text(text)
        return directory

    return make


def test_cpu_and_memory_of_a_container_with_its_names(tmp_path: Path, cgroup: Make) -> None:
    cgroup(POD, usec=3_000_000)
    bench = Bench(OwnerUsage, tmp_path)
    assert by_owner(bench.run(), "hw_owner_cpu_seconds_total") == {f"pod {UID}": 3.0}
    bench.host.names.publish("test", Names((ContainerName(A, "cuda", "ml", "train-0", UID),)))
    values = bench.run()
    assert by_owner(values, "hw_owner_cpu_seconds_total") == {"ml/train-0 cuda": 3.0}
    assert by_owner(values, "hw_owner_memory_usage_bytes") == {"ml/train-0 cuda": GIB}
    assert by_owner(values, "hw_owner_cpu_throttled_seconds_total") == {"ml/train-0 cuda": 0.5}


def test_details(tmp_path: Path, cgroup: Make) -> None:
    stall = (
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n"
    )
    files = {
        "memory_stat": "anon 7\nfile 8\n", "memory_peak": "99\n", "memory_max": "max\n", "pids_current": "4\n",
        "memory_events": "oom 9\noom_kill 2\n", "memory_pressure": stall,
        "rdma_current": "mlx5_0 hca_handle=3 hca_object=70\nmlx5_1 hca_handle=0 hca_object=0\n",
        "io_stat": "8:0 rbytes=10 wbytes=20\n253:0 rbytes=10 wbytes=20\n",
    }  # fmt: skip
    cgroup(f"system.slice/docker-{A}.scope", **files)
    (tmp_path / "sys/dev/block/253:0/slaves/sda").mkdir(parents=True)
    bench = Bench(OwnerUsage, tmp_path)
    bench.run()
    values = bench.run("detail")
    owner = f"docker {A[:12]} {A[:12]}"
    for family, value in {
        "memory_anon_bytes": 7, "memory_file_bytes": 8, "memory_peak_bytes": 99, "pids": 4, "oom_kills_total": 2,
        "io_read_bytes_total": 10, "io_write_bytes_total": 20,
    }.items():  # fmt: skip
        assert by_owner(values, f"hw_owner_{family}") == {owner: value}, family
    assert by_owner(values, "hw_owner_memory_limit_bytes") == {}
    assert by_owner(values, "hw_owner_pressure_some_seconds_total") == {f"{owner} memory": 2.5}
    assert by_owner(values, "hw_owner_pressure_full_seconds_total") == {f"{owner} memory": 0.5}
    assert by_owner(values, "hw_owner_rdma_hca_handles") == {f"{owner} mlx5_0": 3, f"{owner} mlx5_1": 0}
    assert by_owner(values, "hw_owner_rdma_hca_objects")[f"{owner} mlx5_0"] == 70


def test_a_host_of_a_hundred_disks(tmp_path: Path, cgroup: Make) -> None:
    lines = "".join(f"259:{number} rbytes={10**11} wbytes={10**10} rios=1 wios=1\n" for number in range(100))
    cgroup(f"system.slice/docker-{A}.scope", io_stat=f"{lines}8:0 rbytes=5 wbytes=0\n")
    bench = Bench(OwnerUsage, tmp_path)
    bench.run()
    values = bench.run("detail")
    assert list(by_owner(values, "hw_owner_io_read_bytes_total").values()) == [100 * 10**11 + 5]
    assert list(by_owner(values, "hw_owner_io_write_bytes_total").values()) == [100 * 10**10]


def test_peaks_of_several_cgroups_are_not_added(tmp_path: Path, cgroup: Make) -> None:
    for name in (A, B):
        cgroup(POD.replace(A, name), memory_peak="99\n", memory_stat="anon 7\nfile 8\n")
    bench = Bench(OwnerUsage, tmp_path)
    bench.run()
    values = bench.run("detail")
    assert by_owner(values, "hw_owner_memory_peak_bytes") == {}
    assert by_owner(values, "hw_owner_memory_anon_bytes") == {f"pod {UID}": 14}


def test_figures_of_v1(tmp_path: Path) -> None:
    root = tmp_path / "sys/fs/cgroup"
    for directory, files in {
        "unified": {"../cgroup.controllers": None, "cgroup.controllers": "hugetlb\n"},
        "cpu,cpuacct": {"cgroup.procs": "", f"docker/{A}/cpuacct.usage": "2500000000\n",
                        f"docker/{A}/cpu.stat": "nr_throttled 1\nthrottled_time 250000000\n"},
        "memory": {"cgroup.procs": "", f"docker/{A}/memory.usage_in_bytes": "4096\n",
                   f"docker/{A}/memory.stat": "rss 1\ntotal_rss 7\ntotal_cache 8\n",
                   f"docker/{A}/memory.limit_in_bytes": "8192\n",
                   f"docker/{A}/memory.oom_control": "under_oom 0\noom_kill 3\n"},
        "blkio": {"cgroup.procs": "",
                  f"docker/{A}/blkio.throttle.io_service_bytes_recursive": "8:0 Read 5\n8:0 Write 6\nTotal 11\n"},
    }.items():  # fmt: skip
        for name, text in files.items():
            path = root / directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text)
    bench = Bench(OwnerUsage, tmp_path)
    owner = f"docker {A[:12]} {A[:12]}"
    values = {**bench.run(), **bench.run("detail")}
    for family, value in {
        "cpu_seconds_total": 2.5, "cpu_throttled_seconds_total": 0.25, "memory_usage_bytes": 4096,
        "memory_anon_bytes": 7, "memory_file_bytes": 8, "memory_limit_bytes": 8192, "oom_kills_total": 3,
        "io_read_bytes_total": 5, "io_write_bytes_total": 6,
    }.items():  # fmt: skip
        assert by_owner(values, f"hw_owner_{family}") == {owner: value}, family


def test_an_owner_has_no_series_before_a_minute(tmp_path: Path, cgroup: Make) -> None:
    bench = Bench(OwnerUsage, tmp_path)
    bench.run()
    cgroup(POD)
    assert by_owner(bench.run(), "hw_owner_cpu_seconds_total") == {}
    assert by_owner(bench.run(after=59), "hw_owner_cpu_seconds_total") == {}
    assert by_owner(bench.run(), "hw_owner_cpu_seconds_total") == {f"pod {UID}": 1.0}


def test_units_have_series_once_they_matter_and_keep_them(tmp_path: Path, cgroup: Make) -> None:
    cgroup("system.slice/large.service", memory=GIB)
    cgroup("system.slice/idle.service", memory=4096)
    bench = Bench(OwnerUsage, tmp_path)
    assert set(by_owner(bench.run(), "hw_owner_cpu_seconds_total")) == {"large.service"}
    cgroup("system.slice/idle.service", usec=1_200_000, memory=4096)
    cgroup("system.slice/large.service", memory=4096)
    bench.run()
    assert set(by_owner(bench.run(), "hw_owner_cpu_seconds_total")) == {"large.service", "idle.service"}


def test_beyond_the_budget_gauges_are_folded_and_nobody_has_counters(tmp_path: Path, cgroup: Make) -> None:
    for number in range(5):
        cgroup(f"docker/{number}{A[1:]}", memory=10)
    bench = Bench(OwnerUsage, tmp_path, {MOST_OWNERS: 3})
    values = bench.run()
    assert by_owner(values, "hw_owner_cpu_seconds_total") == {}
    memory = by_owner(values, "hw_owner_memory_usage_bytes")
    assert memory.pop("other") == 20
    assert (sum(memory.values()), len(memory)) == (30, 3)
    assert values["hw_owner_usage_dropped"] == 2


def test_a_broken_file_costs_its_cgroup(tmp_path: Path, cgroup: Make) -> None:
    (cgroup(POD) / "cpu.stat").write_text("usage_usec many\n")
    cgroup(f"docker/{B}")
    bench = Bench(OwnerUsage, tmp_path)
    assert set(by_owner(bench.run(), "hw_owner_cpu_seconds_total")) == {f"docker {B[:12]} {B[:12]}"}
    assert list(bench.skipped) == [f"/{POD}"]


def test_a_controller_that_is_turned_on_later_is_found(tmp_path: Path, cgroup: Make) -> None:
    (cgroup(POD) / "memory.current").unlink()
    bench = Bench(OwnerUsage, tmp_path)
    assert by_owner(bench.run(), "hw_owner_memory_usage_bytes") == {}
    cgroup(POD)
    for _ in range(12):
        values = bench.run()
    assert by_owner(values, "hw_owner_memory_usage_bytes") == {f"pod {UID}": GIB}


def test_an_owner_that_is_gone_has_no_series(tmp_path: Path, cgroup: Make) -> None:
    directory = cgroup(POD)
    bench = Bench(OwnerUsage, tmp_path)
    bench.run()
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()
    assert by_owner(bench.run(), "hw_owner_cpu_seconds_total") == {}


def test_a_container_that_is_started_anew_under_its_path_is_found(tmp_path: Path, cgroup: Make) -> None:
    directory = cgroup(POD, usec=3_000_000)
    bench = Bench(OwnerUsage, tmp_path)
    for _ in range(2):
        assert by_owner(bench.run(), "hw_owner_cpu_seconds_total") == {f"pod {UID}": 3.0}
    directory.rename(tmp_path / "gone")
    directory.mkdir()
    (before,) = bench.runner._collector.members.values()
    bench.run()  # its descriptors lead nowhere
    bench.run()
    (after,) = bench.runner._collector.members.values()
    assert (before.path, before is after) == (after.path, False)
    cgroup(POD, usec=1_000_000)
    for _ in range(12):
        values = bench.run(after=30)
    assert by_owner(values, "hw_owner_cpu_seconds_total") == {f"pod {UID}": 4.0}


def test_a_host_without_cgroups(tmp_path: Path) -> None:
    assert Bench(OwnerUsage, tmp_path).attempt() is State.ABSENT
