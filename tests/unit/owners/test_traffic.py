# SPDX-License-Identifier: MIT
"""Traffic of bound counters, from the kernel's answer to the series of a pod: it never falls while the pod lives."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hwinfod.collectors.rdma import Rdma
from hwinfod.core.holding import Batch, Holding
from hwinfod.owners.collector import MOST_OWNERS, Owners
from hwinfod.serve.exposition import Renderer, Selection
from hwinfod.serve.exposition_lines import Format
from tests.support.bench import Bench
from tests.support.exposition import TEXT, parse
from tests.support.owners import POD, UID, by_owner
from tests.support.rdma import FakeDevice, RdmaHost, bound, qp
from tests.support.sysfs import put

RECEIVED, SENT = "hw_owner_rdma_receive_bytes_total", "hw_owner_rdma_transmit_bytes_total"
POD_ON_DEVICE = f"pod {UID} mlx5_0"


def start(host: RdmaHost, pid: int, cgroup: str) -> None:
    ticks = 10 * os.sysconf("SC_CLK_TCK")
    ids = "Uid:\t1000\t1000\t1000\t1000\nGid:\t0\t0\t0\t0"
    host.process(pid, start=ticks)
    status = f"Name:\trank\nTgid:\t{pid}\nPid:\t{pid}\n{ids}\nNSpid:\t{pid}\nCapEff:\t0"
    put(host.directory / "proc" / str(pid), {"status": status, "cgroup": f"0::/{cgroup}"})


class Node:
    """A pod of two processes with queue pairs on mlx5_0, and a unit with one."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch, most_owners: int = 200) -> None:
        self.kernel = RdmaHost(directory, patch)
        self.device = self.kernel.add(FakeDevice("mlx5_0", 0, 0x98039BFFFE123456, hw={"out_of_buffer": 0}))
        for pid, cgroup in ((100, POD), (101, POD), (200, "system.slice/train.service")):
            start(self.kernel, pid, cgroup)
        self.device.objects = {"qp": [qp(1, 100), qp(2, 101), qp(3, 200)]}
        self.rdma = Bench(Rdma, directory)
        self.owners = Bench(Owners, directory, {MOST_OWNERS: most_owners}, beside=self.rdma)
        self.rdma.run()

    def look(self) -> dict[str, int | float]:
        self.rdma.run("resources")
        return self.owners.run()


@pytest.fixture
def node(tmp_path, monkeypatch):
    return Node(tmp_path, monkeypatch)


def test_traffic_of_bound_counters_is_the_pods(node):
    node.device.bound = [
        bound(4, {"rdma_rx_bytes": 1000, "rdma_tx_bytes": 5}, qps=(1,)),
        bound(5, {"rdma_rx_bytes": 30}, who=101),
        bound(6, {"rdma_tx_bytes": 7}, who=200),
    ]
    values = node.look()
    assert by_owner(values, RECEIVED) == {POD_ON_DEVICE: 1030}
    assert by_owner(values, SENT) == {POD_ON_DEVICE: 5, "train.service mlx5_0": 7}
    node.rdma.host.runners = {"owners": node.owners.runner}
    exposition = parse(Renderer(node.rdma.host).render(Format.TEXT, Selection()), TEXT)
    assert exposition.families[RECEIVED.removesuffix("_total")].type == "counter"
    assert sorted(exposition.series(SENT).values()) == [5, 7]


def test_it_never_falls_while_queue_pairs_and_processes_end(node):
    node.device.bound = [bound(4, {"rdma_rx_bytes": 1000}, who=100), bound(5, {"rdma_rx_bytes": 30}, who=101)]
    node.look()
    node.device.objects = {"qp": [qp(2, 101)]}
    node.device.bound = [bound(5, {"rdma_rx_bytes": 40}, who=101)]
    assert by_owner(node.look(), RECEIVED) == {POD_ON_DEVICE: 1040}
    shutil.rmtree(node.kernel.directory / "proc/100")
    assert by_owner(node.look(), RECEIVED) == {POD_ON_DEVICE: 1040}


def test_without_bound_counters_there_are_no_such_series(node):
    assert [name for name in node.look() if "bytes_total" in name] == []


def test_beyond_the_budget_nobody_has_counters(tmp_path, monkeypatch):
    node = Node(tmp_path, monkeypatch, most_owners=1)
    node.device.bound = [bound(4, {"rdma_rx_bytes": 1000}, who=100)]
    assert by_owner(node.look(), RECEIVED) == {}


def test_users_within_the_kernel_are_told_apart(node):
    def look(nvme: int, nfs: int) -> dict[str, int | float]:
        holdings = (
            Holding(0, 0, {"receive_bytes": nvme}, "nvme_rdma"),
            Holding(0, 0, {"receive_bytes": nfs}, "rpcrdma"),
        )
        node.rdma.host.holdings.publish(Batch("rdma:x", 0, {}, holdings))
        return by_owner(node.owners.run(), RECEIVED)

    assert look(100, 10) == {"kernel rdma:x": 110}
    assert look(101, 12) == {"kernel rdma:x": 113}
