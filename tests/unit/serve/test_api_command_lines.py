# SPDX-License-Identifier: MIT
"""Command lines on the pages that show processes: for root and the group hwinfod, when they ask."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwinfod.core.device import Device
from hwinfod.core.holding import Batch, Holding, NodeUse
from hwinfod.core.owner import Attribution, Holder, NodeHolder, OwnerRecord
from hwinfod.errors import UserError
from hwinfod.serve import viewer
from hwinfod.serve.http import Peer
from tests.unit.serve.test_api import Asker

PID = os.getpid()
START = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
OWN = " ".join(Path("/proc/self/cmdline").read_text().split("\0")).strip()
ROOT, MEMBER, ALICE = Peer(1, 0, 0, ()), Peer(2, 1002, 100, (77,)), Peer(3, 1000, 100, ())
PAGES = ("/v1/owners/a", "/v1/holders", "/v1/gpus/GPU-0/processes", "/v1/rdma/mlx5_0/resources")


class LivingAsker(Asker):
    """Alice's process is this one. Another one of hers, that is gone, had the number before; and the kernel holds
    something."""

    def __init__(self, privacy: str = "own") -> None:
        super().__init__(privacy)
        devices = (
            Device("GPU-0", "gpu", "0 H100", {"gpu": "0"}),
            Device("rdma:1", "rdma", "mlx5_0", {"device": "mlx5_0"}),
        )
        holders, nodes = [], []
        for device in devices:
            self.host.devices.report("test", device)
            holdings = [Holding(PID, start, {"memory_bytes": 1, "qps": 1}) for start in (START, START - 1)]
            holdings.append(Holding(0, 0, {"qps": 1}, kernel="nvme"))
            self.host.holdings.publish(Batch(device.id, 1, {}, tuple(holdings)))
            holders += [Holder(device.id, each.pid, each.start_time_ticks, "python", 1000, {}) for each in holdings]
        nodes = [NodeHolder("a", PID, start, "python", 1000, ("/dev/kfd",), ()) for start in (START, START - 1)]
        self.host.node_use = NodeUse(self.host.clock.boottime_ns())
        owner = OwnerRecord("a", "ml/a", ("ml/a", "pod", "ml", "a", "", "", ""), {}, 1000, 0, tuple(holders))
        self.host.attribution = Attribution(1, {"a": owner}, node_holders=tuple(nodes))


@pytest.fixture(autouse=True)
def _group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "read_group_id", lambda name: 77)


def processes(document: object) -> list[dict[str, object]]:
    """Everything in a document that has a command line, or none."""
    if isinstance(document, dict):
        own = [document] if "command_line" in document else []
        return own + [found for value in document.values() for found in processes(value)]
    return [found for value in document for found in processes(value)] if isinstance(document, list) else []


def told(document: object) -> set[object]:
    return {process["command_line"] for process in processes(document)}


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("peer", [ROOT, MEMBER], ids=["root", "member"])
def test_root_and_the_group_have_them_when_they_ask(path: str, peer: Peer) -> None:
    ask = LivingAsker()
    assert told(ask(path, peer)) == told(ask(path, peer, command_lines="false")) == {None}
    document = ask(path, peer, command_lines="true")
    assert told(document) == {OWN, None}
    assert {process["pid"] for process in processes(document) if process["command_line"]} == {PID}
    assert told(ask(path, peer)) == {None}, "nothing of it is kept for who does not ask"
    with pytest.raises(UserError, match="true or false"):
        ask(path, peer, command_lines="yes")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("privacy", ["own", "open"])
def test_nobody_else_has_any_not_even_of_his_own_processes(path: str, privacy: str) -> None:
    document = LivingAsker(privacy)(path, ALICE, command_lines="true")
    assert PID in {process["pid"] for process in processes(document)}, "his process is there"
    assert told(document) == {None}


def test_pages_of_many_owners_have_none() -> None:
    ask = LivingAsker()
    for path in ("/v1/owners", "/v1/containers", "/v1/gpus/GPU-0/owners", "/v1/rdma/mlx5_0/owners"):
        with pytest.raises(UserError, match="unknown parameter"):
            ask(path, command_lines="true")
        assert told(ask(path)) <= {None}
