# SPDX-License-Identifier: MIT
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwinfod.collectors.numa import Numa
from hwinfod.core.health import State
from hwinfod.core.metric import Level
from tests.support.bench import Bench
from tests.support.sysfs import put

NODES = "sys/devices/system/node"


def put_node(directory: Path, node: int) -> None:
    fields = {"MemTotal": 1000, "MemFree": 400, "MemUsed": 600, "FilePages": 100, "AnonPages": 50, "SUnreclaim": 9}
    counts = {"numa_hit": 10, "numa_miss": 1, "numa_foreign": 2, "interleave_hit": 3, "local_node": 8, "other_node": 4}
    put(
        directory / NODES / f"node{node}",
        {
            "meminfo": "\n".join(f"Node {node} {name}: {value} kB" for name, value in fields.items()),
            "numastat": "\n".join(f"{name} {value}" for name, value in counts.items()),
            "hugepages/hugepages-1048576kB/nr_hugepages": 2,
            "hugepages/hugepages-1048576kB/free_hugepages": 1,
        },
    )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    put_node(tmp_path, 0)
    put_node(tmp_path, 1)
    return Bench(Numa, tmp_path)


def test_each_node_by_itself(bench: Bench) -> None:
    values = bench.run()
    assert values["hw_numa_nodes"] == 2
    assert values["hw_numa_memory_usage_bytes{numa_node=1}"] == 600 << 10
    assert values["hw_numa_misses_total{numa_node=0}"] == 1
    assert values["hw_numa_remote_allocations_total{numa_node=1}"] == 4
    assert values["hw_numa_hugepages_usage_bytes{numa_node=1,size=1048576kB}"] == 1 << 30
    assert list(bench.values(level=Level.STANDARD)) == ["hw_numa_nodes"]


def test_nodes_are_devices(tmp_path: Path, bench: Bench) -> None:
    put(tmp_path / NODES / "node1", {"cpulist": "32-63,96-127", "distance": "21 10"})
    bench.run()
    node = bench.host.devices.current["numa:1"]
    assert node.kind == "numa node"
    assert node.facts == {"numa_node": "1", "cpus": "32-63,96-127", "distances": "21 10"}


def test_a_broken_node_costs_itself(tmp_path: Path, bench: Bench) -> None:
    put(tmp_path / NODES / "node0", {"meminfo": "Node 0 MemTotal: lots"})
    values = bench.run()
    assert "hw_numa_memory_usage_bytes{numa_node=0}" not in values
    assert values["hw_numa_memory_usage_bytes{numa_node=1}"] == 600 << 10
    assert list(bench.skipped) == ["node0"]


def test_a_node_without_numastat_keeps_its_memory(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / NODES / "node0/numastat").unlink()
    values = bench.run()
    assert values["hw_numa_memory_free_bytes{numa_node=0}"] == 400 << 10
    assert "hw_numa_hits_total{numa_node=0}" not in values


def test_memory_of_a_gpu_comes_and_goes(tmp_path: Path, bench: Bench) -> None:
    bench.run()
    put_node(tmp_path, 2)
    assert bench.run()["hw_numa_memory_limit_bytes{numa_node=2}"] == 1000 << 10
    shutil.rmtree(tmp_path / NODES / "node2")
    values = bench.run()
    assert values["hw_numa_nodes"] == 2
    assert not any("numa_node=2" in name for name in values)


def test_a_kernel_without_numa_is_absent(tmp_path: Path) -> None:
    assert Bench(Numa, tmp_path).attempt() is State.ABSENT
