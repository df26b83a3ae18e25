# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from hwinfod.collectors.memory import SHORT, Memory
from hwinfod.core.check import evaluate
from hwinfod.core.health import State
from hwinfod.core.metric import Level
from tests.support.bench import Bench
from tests.support.sysfs import put

KIB = 1024
MEMINFO = {
    "MemTotal": 1000, "MemFree": 300, "MemAvailable": 550, "Buffers": 20, "Cached": 200, "SwapTotal": 100,
    "SwapFree": 75, "SReclaimable": 30, "SUnreclaim": 40, "Dirty": 5, "HardwareCorrupted": 4, "Committed_AS": 700,
}  # fmt: skip
POOLS = "sys/kernel/mm/hugepages"


def show(directory: Path, **changed: int) -> None:
    put(directory / "proc", {"meminfo": "\n".join(f"{k}: {v} kB" for k, v in (MEMINFO | changed).items())})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    show(tmp_path)
    return Bench(Memory, tmp_path)


def test_the_states_add_up_to_the_limit(bench: Bench) -> None:
    values = bench.run()
    states = {name: value for name, value in values.items() if name.startswith("hw_memory_usage_bytes")}
    assert len(states) == 5
    assert sum(states.values()) == values["hw_memory_limit_bytes"] == 1000 * KIB
    assert states["hw_memory_usage_bytes{state=used}"] == 450 * KIB


def test_what_people_alert_on_is_standard(bench: Bench) -> None:
    bench.run()
    values = bench.values(level=Level.STANDARD)
    assert values["hw_memory_utilization_ratio"] == 0.45
    assert values["hw_memory_available_bytes"] == 550 * KIB
    assert values["hw_memory_corrupted_bytes"] == 4 * KIB
    assert (values["hw_swap_limit_bytes"], values["hw_swap_usage_bytes"]) == (100 * KIB, 25 * KIB)
    assert "hw_memory_dirty_bytes" not in values


def test_a_field_that_this_kernel_lacks_is_absent(tmp_path: Path, bench: Bench) -> None:
    put(tmp_path / "proc", {"meminfo": "MemTotal: 1000 kB\nMemFree: 100 kB"})
    assert bench.run() == {"hw_memory_limit_bytes": 1000 * KIB}


def test_little_available_is_wrong(tmp_path: Path, bench: Bench) -> None:
    bench.host.runners = {"memory": bench.runner}
    show(tmp_path, MemAvailable=50)
    bench.run()
    assert evaluate(bench.host, [SHORT]) == []
    show(tmp_path, MemAvailable=20)
    bench.run()
    assert [f.text for f in evaluate(bench.host, [SHORT])] == ["less than 5 % of the memory is available (98.0% used)"]


def test_huge_pages_by_size_come_and_go(tmp_path: Path, bench: Bench) -> None:
    counts = {"nr_hugepages": 8, "free_hugepages": 3, "resv_hugepages": 1, "surplus_hugepages": 0}
    for name, content in counts.items():
        put(tmp_path / POOLS / "hugepages-2048kB", {name: content})
    size = 2048 * KIB
    assert bench.run("hugepages") == {
        "hw_hugepages_limit_bytes{size=2048kB}": 8 * size,
        "hw_hugepages_usage_bytes{size=2048kB}": 5 * size,
        "hw_hugepages_reserved_bytes{size=2048kB}": size,
        "hw_hugepages_surplus_bytes{size=2048kB}": 0,
    }
    (tmp_path / POOLS / "hugepages-2048kB/nr_hugepages").unlink()
    assert bench.run("hugepages") == {}


def test_garbage_fails_and_no_proc_is_absent(tmp_path: Path, bench: Bench) -> None:
    put(tmp_path / "proc", {"meminfo": "MemTotal: lots"})
    assert bench.attempt() is State.FAILING
    assert Bench(Memory, tmp_path / "none").attempt() is State.ABSENT


def test_this_machine_agrees_with_psutil() -> None:
    values = Bench(Memory).run()
    memory = psutil.virtual_memory()
    assert values["hw_memory_limit_bytes"] == memory.total
    assert values["hw_memory_utilization_ratio"] == pytest.approx(memory.percent / 100, abs=0.05)
    assert values["hw_memory_usage_bytes{state=cached}"] > 0
