# SPDX-License-Identifier: MIT
"""An owner's GPUs and the network cards that it uses: how far, and is there a nearer one that nobody uses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwinfod.collectors._rdma_families import UP
from hwinfod.core.device import Device, Status
from hwinfod.core.holding import Batch, Holding
from hwinfod.core.owner import LABELS, Attribution, Holder, OwnerRecord
from hwinfod.core.table import Table
from hwinfod.ctl.commands._owner_remarks import remarks
from hwinfod.ctl.terminal import standard_output
from hwinfod.serve.api.placement import placement_of
from tests.unit.serve.test_api import Asker

ID = "unit::train.service"


class Host:
    """Two sockets; on each a switch with a GPU and a card, and a card on a root port of its own."""

    def __init__(self) -> None:
        self.asker = Asker()
        self.host = self.asker.host
        self.up = {f"mlx5_{n}": True for n in range(4)}
        switch = ("pci0000:00", "0000:00:01.0", "0000:01:00.0")
        other = tuple(part.replace("0000:0", "0000:8") for part in switch)
        self.add("gpu", "0", "0000:02:00.0", (*switch, "0000:01:01.0"), 0)
        self.add("rdma", "mlx5_0", "0000:03:00.0", (*switch, "0000:01:02.0"), 0)
        self.add("rdma", "mlx5_1", "0000:05:00.0", ("pci0000:00", "0000:00:02.0"), 0)
        self.add("gpu", "1", "0000:82:00.0", (*other, "0000:81:01.0"), 1)
        self.add("rdma", "mlx5_2", "0000:83:00.0", (*other, "0000:81:02.0"), 1)
        self.add("rdma", "mlx5_3", "0000:85:00.0", ("pci0000:80", "0000:80:02.0"), 1)

    def add(self, kind: str, name: str, address: str, above: tuple[str, ...], node: int) -> None:
        facts = {"numa_node": str(node), "pci": address, "path": " ".join((*above, address))}
        self.host.devices.report("pcie", Device(address, "pci", address, facts))
        facts = {"gpu": name, "pci": address, "numa_node": str(node)} if kind == "gpu" else {}
        self.host.devices.report("test", Device(f"{kind}:{name}", kind, name, facts, parent=address))

    def placement(self, gpus: str, *qps: str, foreign: tuple[str, ...] = ()) -> list[dict[str, object]]:
        """Of an owner of these GPUs with queue pairs in these devices, while others have some in the foreign ones."""
        for name in self.up:
            holdings = [Holding(7, 1, {"qps": 2})] if name in qps else []
            holdings += [Holding(8, 1, {"qps": 2})] if name in foreign else []
            batch = Batch(f"rdma:{name}", 1, {}, (*holdings, Holding(0, 0, {"qps": 2}, "ib_core")))
            self.host.holdings.publish(batch)
        held = [Holder(f"gpu:{gpu}", 7, 1, "x", 0, {"memory_bytes": 1}) for gpu in gpus]
        held += [Holder(f"rdma:{name}", 7, 1, "x", 0, {"qps": 2}) for name in qps]
        record = OwnerRecord(ID, "train.service", ("train.service", *("",) * (len(LABELS) - 1)), {}, 0, 0, tuple(held))
        self.host.attribution = Attribution(1, {ID: record})
        table = Table("rdma", "rdma", 1, self.host.series)
        groups = {name: table.bind((UP,), name, "1") for name in self.up}
        table.begin()
        for name, group in groups.items():
            group.set((int(self.up[name]),))
        table.publish(self.host.clock.boottime_ns())
        self.host.fresh_tables = lambda: [table]  # type: ignore[method-assign]
        return [dict(one) for one in placement_of(self.host, record)]


@pytest.fixture
def host() -> Host:
    return Host()


def test_each_gpu_with_its_own_card(host: Host) -> None:
    assert host.placement("01", "mlx5_0", "mlx5_2") == [
        {"device": "gpu:0", "gpu": "0", "numa_node": 0, "rdma": {"mlx5_0": "PIX", "mlx5_2": "SYS"}, "nearer_idle": {}},
        {"device": "gpu:1", "gpu": "1", "numa_node": 1, "rdma": {"mlx5_2": "PIX", "mlx5_0": "SYS"}, "nearer_idle": {}},
    ]


def test_a_nearer_card_that_stands_idle_is_told(host: Host) -> None:
    (one,) = host.placement("0", "mlx5_3")
    assert one["rdma"] == {"mlx5_3": "SYS"}
    assert one["nearer_idle"] == {"mlx5_0": "PIX", "mlx5_1": "PHB"}
    (one,) = host.placement("0", "mlx5_1")
    assert one["nearer_idle"] == {"mlx5_0": "PIX"}


def test_a_card_that_another_uses_or_that_is_down_or_gone_is_no_way(host: Host) -> None:
    (one,) = host.placement("0", "mlx5_1", foreign=("mlx5_0",))
    assert one["nearer_idle"] == {}
    host.up["mlx5_0"] = False
    assert host.placement("0", "mlx5_1")[0]["nearer_idle"] == {}
    host.up["mlx5_0"] = True
    host.host.devices.report("test", replace(host.host.devices.current["rdma:mlx5_0"], status=Status.LOST))
    assert host.placement("0", "mlx5_1")[0]["nearer_idle"] == {}


def test_who_uses_no_network_or_no_gpu_has_no_placement(host: Host) -> None:
    assert host.placement("01") == []
    assert host.placement("", "mlx5_0") == []


def test_a_place_that_is_not_known_promises_nothing(host: Host) -> None:
    host.host.devices.report("test", Device("gpu:0", "gpu", "0", {"gpu": "0"}))
    assert host.placement("0", "mlx5_0") == []


def test_it_is_in_the_api_and_said_on_the_terminal(host: Host) -> None:
    (placement,) = host.placement("0", "mlx5_3")
    assert host.asker(f"/v1/owners/{ID}")["placement"] == [placement]
    said = " ".join(line.strip() for line in remarks(host.asker("/v1/owners"), standard_output(no_colour=True)))
    assert "train.service: gpu 0 goes to mlx5_3 (SYS) while mlx5_0 (PIX) mlx5_1 (PHB) stands idle" in said
