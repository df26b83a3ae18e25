# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
from pathlib import Path

import psutil

from hwinfod.collectors.paging import KILLED, Paging
from hwinfod.core.check import evaluate
from hwinfod.core.health import State
from tests.support.bench import Bench
from tests.support.sysfs import put

PAGE = os.sysconf("SC_PAGE_SIZE")


def show(directory: Path, **counts: int) -> None:
    put(directory / "proc", {"vmstat": "\n".join(f"{name} {count}" for name, count in counts.items())})


def test_each_count_in_its_unit(tmp_path: Path) -> None:
    show(tmp_path, pswpin=2, pswpout=3, pgpgin=4, oom_kill=5, pgmajfault=6, allocstall_normal=7, allocstall_movable=8)
    assert Bench(Paging, tmp_path).run() == {
        "hw_swap_in_bytes_total": 2 * PAGE,
        "hw_swap_out_bytes_total": 3 * PAGE,
        "hw_memory_paged_in_bytes_total": 4096,
        "hw_memory_oom_kills_total": 5,
        "hw_memory_major_page_faults_total": 6,
        "hw_memory_allocation_stalls_total": 15,
    }


def test_a_kill_within_the_hour_is_wrong(tmp_path: Path) -> None:
    show(tmp_path, oom_kill=5)
    bench = Bench(Paging, tmp_path)
    bench.host.runners = {"paging": bench.runner}
    bench.run()
    assert evaluate(bench.host, [KILLED]) == [], "kills from before the daemon's start"
    show(tmp_path, oom_kill=7)
    bench.run()
    (finding,) = evaluate(bench.host, [KILLED])
    assert finding.text == "2 processes killed for want of memory in the last hour"


def test_garbage_fails_and_no_proc_is_absent(tmp_path: Path) -> None:
    put(tmp_path / "proc", {"vmstat": "pswpin"})
    assert Bench(Paging, tmp_path).attempt() is State.FAILING
    assert Bench(Paging, tmp_path / "none").attempt() is State.ABSENT


def test_this_machine_agrees_with_psutil() -> None:
    before = psutil.swap_memory()
    values = Bench(Paging).run()
    after = psutil.swap_memory()
    assert before.sin <= values["hw_swap_in_bytes_total"] <= after.sin
    assert before.sout <= values["hw_swap_out_bytes_total"] <= after.sout
    assert values["hw_memory_page_faults_total"] > values["hw_memory_major_page_faults_total"]
