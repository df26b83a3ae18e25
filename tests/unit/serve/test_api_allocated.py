# SPDX-License-Identifier: MIT
"""Allocated beside observed in the API and on the screens: who was given what, who uses it, and who may know."""

from __future__ import annotations

import json
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from hwinfod.core.device import Device
from hwinfod.core.grant import MIG, TIME_SLICING, WHOLE, Grant, Granted, Grantee
from hwinfod.core.health import Health
from hwinfod.core.owner import Attribution, Holder, OwnerRecord
from hwinfod.core.table import Table
from hwinfod.ctl import __main__ as ctl
from hwinfod.owners.allocated.collector import IDLE, UNUSED
from hwinfod.serve import viewer
from hwinfod.serve.http import Peer, Problem
from hwinfod.wire.owners import AllocatedDevice
from tests.support.owners import GIB
from tests.unit.ctl.test_commands import RouteClient
from tests.unit.serve.test_api import Asker

ROOT, MEMBER, ALICE, BOB = Peer(1, 0, 0, ()), Peer(2, 1002, 100, (77,)), Peer(3, 1000, 100, ()), Peer(4, 1001, 100, ())
TRAIN = ("ml/train-0", "pod", "ml", "train-0", "cuda", "", "")
NOTEBOOK = ("ml-dev/nb-jo", "pod", "ml-dev", "nb-jo", "notebook", "", "")
JOB = ("slurm 5", "job", "", "", "", "5", "")
THIEF = ("docker x", "container", "", "", "x", "", "")
NIC = Device("rdma:1", "rdma", "mlx5_0", {})


def whole(device: str, idle: float | None = 0.0) -> Grant:
    return Grant(device, "", WHOLE, 1.0, "nvidia.com/gpu", (device,), ("pod-resources",), "", idle)


def grantee(id_: str, labels: tuple[str, ...], *grants: Grant, uid: int = -1) -> Grantee:
    return Grantee(id_, labels[0], labels, {"pod_uid": f"uid of {id_}"}, uid, 10**9, grants)


def record(id_: str, labels: tuple[str, ...], uid: int, *devices: str) -> OwnerRecord:
    holders = tuple(Holder(device, 4711, 7, "python", uid, {"memory_bytes": GIB}) for device in devices)
    return OwnerRecord(id_, labels[0], labels, {}, uid, 10**9, holders)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Asker:
    """A pod of Alice's that uses one of its two GPUs, a notebook that idles on half of one, a job of Bob's on a MIG
    instance, and a container that uses a GPU which is somebody else's."""
    monkeypatch.setattr(viewer, "read_group_id", lambda name: 77)
    monkeypatch.setattr(ctl, "Client", RouteClient)
    RouteClient.asker = asker = Asker()
    host = asker.host
    for index in range(4):
        host.devices.report("test", Device(f"GPU-{index}", "gpu", f"{index} H100", {"gpu": str(index)}))
    host.devices.report("test", NIC)
    half = Grant("GPU-2", "", TIME_SLICING, 0.5, "nvidia.com/gpu", ("GPU-2::1",), ("checkpoint",), "", 11_400.0)
    part = Grant("GPU-3", "MIG-1", MIG, 3 / 7, "gres/gpu", ("3",), ("slurm",), "", None)
    nic = Grant(NIC.id, "", WHOLE, 1.0, "rdma/hca", ("1",), ("pod-resources",), "claim-1", None)
    owners = [
        grantee("train", TRAIN, whole("GPU-0"), whole("GPU-1", 30.0), nic),
        grantee("notebook", NOTEBOOK, half),
        grantee("job", JOB, part, uid=1001),
    ]
    host.granted = Granted(1, {one.id: one for one in owners}, {}, ("attribution blind: checkpoint",))
    held = [record("train", TRAIN, 1000, "GPU-0"), record("thief", THIEF, 1001, "GPU-0")]
    host.attribution = Attribution(1, MappingProxyType({one.id: one for one in held}))
    return asker


def by_name(ask: Asker, path: str, peer: Peer) -> dict[str, Any]:
    return {owner["owner"]: owner for owner in ask(path, peer)["owners"]}


def test_given_and_held_are_two_facts(ask: Asker) -> None:
    train = by_name(ask, "/v1/owners", ROOT)["ml/train-0"]
    assert [held["device"] for held in train["devices"]] == ["GPU-0"]
    assert [given["device"] for given in train["allocated"]] == ["GPU-0", "GPU-1", NIC.id]
    assert train["allocated"][1] == {
        "device": "GPU-1", "name": "1 H100", "kind": "gpu", "part": "", "sharing": "whole", "share": 1.0,
        "resource": "nvidia.com/gpu", "device_ids": ["GPU-1"], "claim": "", "sources": ["pod-resources"],
        "idle_seconds": 30.0,
    }  # fmt: skip
    assert set(train["allocated"][1]) == set(AllocatedDevice.__annotations__)


def test_who_was_given_something_and_uses_nothing_is_an_owner(ask: Asker) -> None:
    notebook = by_name(ask, "/v1/owners", ROOT)["ml-dev/nb-jo"]
    assert (notebook["devices"], notebook["identity"]) == ([], {"pod_uid": "uid of notebook"})
    assert notebook["since_seconds"] is not None
    (given,) = notebook["allocated"]
    assert (given["sharing"], given["share"], given["idle_seconds"]) == ("time-slicing", 0.5, 11_400)
    assert ask("/v1/owners/notebook", ROOT) == notebook


def test_the_owners_of_one_device(ask: Asker) -> None:
    assert set(by_name(ask, "/v1/gpus/GPU-0/owners", ROOT)) == {"ml/train-0", "docker x"}
    assert set(by_name(ask, "/v1/gpus/GPU-1/owners", ROOT)) == {"ml/train-0"}
    assert set(by_name(ask, "/v1/gpus/GPU-2/owners", ROOT)) == {"ml-dev/nb-jo"}
    assert set(by_name(ask, "/v1/rdma/mlx5_0/owners", ROOT)) == {"ml/train-0"}


def test_what_is_blind_is_said(ask: Asker) -> None:
    assert "attribution blind: checkpoint" in ask("/v1/owners", ROOT)["blind"]


def test_three_users(ask: Asker) -> None:
    """Root and the group see everyone's, Alice and Bob what is their own; nobody knows whose the notebook is."""
    everyone = {"ml/train-0", "ml-dev/nb-jo", "slurm 5", "docker x"}
    assert set(by_name(ask, "/v1/owners", ROOT)) == set(by_name(ask, "/v1/owners", MEMBER)) == everyone
    assert set(by_name(ask, "/v1/owners", ALICE)) == {"ml/train-0", "another user"}
    assert set(by_name(ask, "/v1/owners", BOB)) == {"slurm 5", "docker x", "another user"}


def test_a_stranger_learns_how_much_is_given_away_and_nothing_else(ask: Asker) -> None:
    owners = ask("/v1/gpus/GPU-2/owners", ALICE)["owners"]
    (given,) = owners[0]["allocated"]
    assert (given["device"], given["share"], given["sharing"]) == ("GPU-2", 0.5, "time-slicing")
    assert (given["resource"], given["device_ids"], given["sources"], given["idle_seconds"]) == ("", [], [], None)
    told = json.dumps(ask("/v1/owners", BOB))
    assert not [word for word in ("nb-jo", "train-0", "GPU-2::1", "claim-1", "uid of train") if word in told]
    with pytest.raises(Problem):
        ask("/v1/owners/notebook", ALICE)


def test_a_gpu_that_idles_is_a_note_for_those_who_may_know_whose_it_is(ask: Asker) -> None:
    asker = Asker(checks=[UNUSED])
    table = Table("allocations", "allocations", 5.0, asker.host.series)
    table.bind((IDLE,), *NOTEBOOK, "2", "GPU-2").set((4000.0,))
    table.publish(asker.host.clock.boottime_ns())
    asker.host.runners = {"allocations": SimpleNamespace(tables={"sample": table}, health=Health("allocations", "x"))}
    status = {peer: asker("/v1/status", peer) for peer in (ROOT, MEMBER, ALICE)}
    assert {document["state"] for document in status.values()} == {"ok"}
    for peer in (ROOT, MEMBER):
        (problem,) = status[peer]["problems"]
        assert (problem["severity"], problem["text"]) == ("info", "gpu 2 allocated to ml-dev/nb-jo but idle for 4000 s")
    assert status[ALICE]["problems"] == []


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert ctl.main(["--socket", "/nowhere", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_screen_of_owners(ask: Asker, capsys: pytest.CaptureFixture[str]) -> None:
    head, *rows = lines(capsys, "owners")
    shown = {row.split("  ")[0]: row[head.index("ALLOC") : head.index("GPU ")].strip() for row in rows}
    assert shown["ml/train-0"] == "0-1"
    assert shown["ml-dev/nb-jo"] == "2 0.5 time-slicing"
    assert shown["slurm 5"] == "3 0.43 mig"
    assert shown["docker x"] == "-"
    assert "gpu 2 allocated to ml-dev/nb-jo but idle 3h10m" in rows
    assert not any("gpu 1 allocated" in row for row in rows), "a rest of 30 s needs no line"


def test_the_screen_of_one_gpu_says_who_uses_what_is_not_his(ask: Asker, capsys: pytest.CaptureFixture[str]) -> None:
    _, head, *rows = lines(capsys, "who", "gpu", "0")
    shown = {row.split("  ")[0]: row[head.index("ALLOC") :].split()[0] for row in rows if "  " in row}
    assert shown == {"ml/train-0": "1", "docker x": "NO!"}
    _, head, *rows = lines(capsys, "who", "gpu", "2")
    assert rows[0][head.index("ALLOC") :].startswith("0.5 time-slicing")
