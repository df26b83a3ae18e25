# SPDX-License-Identifier: MIT
"""Owners, containers and holders in the API: what is said of them, and to whom."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest

from hwinfod.core.account import Account, Accounting
from hwinfod.core.container import Container, DeviceNode
from hwinfod.core.device import Device
from hwinfod.core.holding import NodeUse
from hwinfod.core.owner import Attribution, ContainerName, Holder, Names, NodeHolder, OwnerRecord
from hwinfod.owners.usage.families import DETAIL, MAIN, NETWORK
from hwinfod.serve import viewer
from hwinfod.serve.http import Peer, Problem
from hwinfod.wire.owners import Container as WireContainer
from hwinfod.wire.owners import OpenNodes, Owner
from tests.support.owners import GIB, UID, A, B
from tests.unit.serve.test_api import Asker

ROOT, MEMBER, ALICE, BOB = Peer(1, 0, 0, ()), Peer(2, 1002, 100, (77,)), Peer(3, 1000, 100, ()), Peer(4, 1001, 100, ())
POD_ID, JOB_ID = f"pod:{UID}:{A[:12]}", "job:slurm:5"
POD = ("ml/train-0", "pod", "ml", "train-0", "cuda", "", "")
JOB = ("slurm 5", "job", "", "", "", "5", "")
UNIT = ("dcgm.service", "unit", "", "", "", "", "dcgm.service")
PODMAN = ("podman x", "container", "", "", "x", "", "")
SECRETS = ("train-0", "ml/train-0", "4711", "secret-image", A[:12], UID)


def record(id_: str, labels: tuple[str, ...], uid: int, *holders: Holder, **identity: str) -> OwnerRecord:
    return OwnerRecord(id_, labels[0], labels, identity, uid, 10**9, holders, (f"/{id_}",), (f"conflict of {id_}",))


def account(id_: str, labels: tuple[str, ...], *, user: str = "", territory: str = "", **identity: str) -> Account:
    figures = (
        (MAIN.cells, (2_500_000, 0, GIB)),
        (DETAIL.cells, (1, 2, 3, *(1_000_000, 500_000), None, None, None, None, 4, 5, 6, None, 7)),
        (NETWORK.cells, (8, 9, 10, 11)),
    )
    return Account(id_, labels, MappingProxyType(identity), user, territory, (f"/{id_}",), "own", figures)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Asker:
    """A pod of Alice's on two GPUs, a job of Bob's, a monitor that has a node open, an exited container."""
    monkeypatch.setattr(viewer, "read_group_id", lambda name: 77)
    asker = Asker()
    host = asker.host
    for index in (0, 1):
        host.devices.report("test", Device(f"GPU-{index}", "gpu", f"{index} H100", {"gpu": str(index)}))
    held = [Holder(f"GPU-{index}", 4711, 7, "python", 1000, {"memory_bytes": GIB}) for index in (0, 1)]
    owners = (
        record(POD_ID, POD, 1000, *held, container_id=A, pod_uid=UID),
        record(JOB_ID, JOB, 1001, Holder("GPU-1", 4800, 8, "a.out", 1001, {"memory_bytes": 1}), job_id="5"),
        record("unit::dcgm.service", UNIT, 0),
    )
    nodes = (
        NodeHolder(POD_ID, 4711, 7, "python", 1000, ("/dev/nvidia0", "/dev/nvidia1"), ("GPU-0", "GPU-1")),
        NodeHolder("unit::dcgm.service", 9, 1, "nv-hostengine", 0, ("/dev/nvidia0",), ("GPU-0",)),
    )
    host.attribution = Attribution(
        1, {one.id: one for one in owners}, {"GPU-0": 3 * GIB}, {"GPU-1": 5}, nodes, ("attribution blind: x",)
    )
    host.node_use = NodeUse(host.clock.boottime_ns() - 2 * 10**9, (), 3)
    accounts = [
        account("container:podman:x", PODMAN, user="1001", territory="user:1001", container_id=A),
        account(POD_ID, POD, container_id=A, pod_uid=UID, runtime="containerd"),
        account(JOB_ID, JOB, user="1001", job_id="5"),
    ]
    host.accounting = Accounting(1, {one.id: one for one in accounts})
    told = Container(
        ContainerName(A, "cuda", "ml", "train-0", UID, "secret-image"), "containerd", "running", 4711,
        created_ns=5 * 10**9, device_nodes=(DeviceNode("/dev/nvidia0", 195, 0),), visible_devices=("all",),
    )  # fmt: skip
    gone = Container(ContainerName(B, "old", "ml", "batch-0"), "containerd", "exited", exit_code=137)
    host.containers.publish("containerd", (told, gone))
    host.names.publish("bundles", Names((ContainerName(B, "", "", "", "", "image-of-old"),), (), ("names blind",)))
    return asker


def names(documents: list[dict[str, object]], key: str = "owner") -> list[object]:
    return [document[key] for document in documents]


def test_an_owner_has_its_figures_nodes_and_conflicts(ask: Asker) -> None:
    owner = ask(f"/v1/owners/{POD_ID}")
    assert set(owner) == set(Owner.__annotations__)
    assert owner["usage"]["values"] == {
        "cpu_seconds_total": 2.5, "cpu_throttled_seconds_total": 0.0, "memory_usage_bytes": GIB, "oom_kills_total": 1,
        "io_read_bytes_total": 2, "io_write_bytes_total": 3, "memory_anon_bytes": 4, "memory_file_bytes": 5,
        "memory_peak_bytes": 6, "pids": 7, "network_receive_bytes_total": 8, "network_transmit_bytes_total": 9,
        "network_receive_packets_total": 10, "network_transmit_packets_total": 11,
    }  # fmt: skip
    assert owner["usage"]["by_label"] == {
        "pressure_some_seconds_total": {"cpu": 1.0},
        "pressure_full_seconds_total": {"cpu": 0.5},
    }
    assert owner["usage"]["network"] == "own"
    assert owner["cgroups"] == [f"/{POD_ID}"]
    assert owner["conflicts"] == [f"conflict of {POD_ID}"]
    assert owner["nodes"] == [
        {
            "pid": 4711, "process": "python", "uid": 1000, "command_line": None, "owner_id": POD_ID,
            "owner": "ml/train-0",
            "nodes": ["/dev/nvidia0", "/dev/nvidia1"], "devices": ["GPU-0", "GPU-1"], "memory_bytes": 2 * GIB,
        }
    ]  # fmt: skip


def test_an_owner_that_holds_no_device_has_its_page_too(ask: Asker) -> None:
    owner = ask("/v1/owners/container:podman:x")
    assert (owner["owner"], owner["devices"], owner["since_seconds"], owner["uid"]) == ("podman x", [], None, 1001)
    assert owner["usage"]["values"]["pids"] == 7
    with pytest.raises(Problem):
        ask("/v1/owners/none")


def test_the_owners_of_a_device_are_those_with_its_node_open_too(ask: Asker) -> None:
    of = ask("/v1/gpus/GPU-0/owners")
    assert names(of["owners"]) == ["ml/train-0", "dcgm.service"]
    assert of["unattributed_bytes"] == {"GPU-0": 3 * GIB}
    assert of["overstated_bytes"] == {}
    assert ask("/v1/owners")["overstated_bytes"] == {"GPU-1": 5}


def test_holders_are_all_with_nodes_open_the_most_memory_first(ask: Asker) -> None:
    document = ask("/v1/holders")
    assert set(document["holders"][0]) == set(OpenNodes.__annotations__)
    assert [(h["pid"], h["owner"], h["memory_bytes"]) for h in document["holders"]] == [
        (4711, "ml/train-0", 2 * GIB),
        (9, "dcgm.service", None),
    ]
    assert (document["age_seconds"], document["hidden_processes"]) == (2.0, 3)
    assert document["blind"] == ["attribution blind: x"]


def test_nobody_looked_yet(ask: Asker) -> None:
    ask.host.node_use = NodeUse()
    assert ask("/v1/holders")["age_seconds"] is None


def test_containers_of_cgroups_and_of_runtimes_are_one_list(ask: Asker) -> None:
    document = ask("/v1/containers")
    assert set(document["containers"][0]) == set(WireContainer.__annotations__)
    podman, old, cuda = document["containers"]
    assert (cuda["id"], cuda["owner_id"], cuda["state"], cuda["pid"], cuda["image"]) == (
        A, POD_ID, "running", 4711, "secret-image",
    )  # fmt: skip
    assert (cuda["namespace"], cuda["pod"], cuda["container"], cuda["pod_uid"]) == ("ml", "train-0", "cuda", UID)
    assert [device["name"] for device in cuda["devices"]] == ["0 H100", "1 H100"]
    assert (cuda["device_nodes"], cuda["visible_devices"]) == (["/dev/nvidia0"], ["all"])
    assert (cuda["created_seconds"], cuda["usage"]["values"]["pids"]) == (5.0, 7)
    assert (old["state"], old["exit_code"], old["pod"], old["image"], old["owner_id"]) == (
        "exited", 137, "batch-0", "image-of-old", "",
    )  # fmt: skip
    assert old["usage"] == {"values": {}, "by_label": {}, "network": ""}
    assert document["blind"] == ["names blind"]
    # a user called his cgroup as the pod's container is called
    assert (podman["id"], podman["pod"], podman["state"], podman["image"]) == (A, "", "running", "")


def test_what_a_user_calls_his_container_is_said_of_his_own(ask: Asker) -> None:
    claim = ContainerName(A, "mine", image="his-image")
    ask.host.names.publish("rootless", Names(claims=MappingProxyType({"1001": (claim,), "1000": (claim,)})))
    images = {one["owner_id"]: one["image"] for one in ask("/v1/containers")["containers"]}
    assert images == {"container:podman:x": "his-image", POD_ID: "secret-image", "": "image-of-old"}


def test_where_no_runtime_may_be_asked_the_cgroup_tells_who_runs(ask: Asker) -> None:
    ask.host.containers.publish("containerd", ())
    states = {one["owner_id"]: one["state"] for one in ask("/v1/containers")["containers"]}
    assert states == {POD_ID: "running", "container:podman:x": "running", "": "unknown"}


@pytest.mark.parametrize("peer", [ROOT, MEMBER], ids=["root", "member"])
def test_root_and_the_group_see_everything(ask: Asker, peer: Peer) -> None:
    assert names(ask("/v1/owners", peer)["owners"]) == ["ml/train-0", "slurm 5", "dcgm.service"]
    assert len(ask("/v1/containers", peer)["containers"]) == 3
    assert names(ask("/v1/holders", peer)["holders"], "pid") == [4711, 9]


def test_a_user_sees_his_own_and_that_there_are_others(ask: Asker) -> None:
    owners = ask("/v1/owners", ALICE)["owners"]
    assert names(owners) == ["ml/train-0", "another user", "another user"]
    assert owners[1]["devices"][0]["amounts"] == {"memory_bytes": 1}
    hidden = {key: value for key, value in owners[1].items() if key not in ("owner", "devices")}
    assert hidden == {
        "id": "", "kind": "", "namespace": "", "pod": "", "container": "", "job_id": "", "unit": "", "uid": None,
        "identity": {}, "cgroups": [], "conflicts": [], "since_seconds": None, "nodes": [], "allocated": [],
        "placement": [], "usage": {"values": {}, "by_label": {}, "network": ""},
    }  # fmt: skip
    document = ask("/v1/containers", ALICE)
    assert (names(document["containers"], "container"), document["others"]) == (["cuda"], 2)
    holders = ask("/v1/holders", ALICE)["holders"]
    assert names(holders, "pid") == [4711, 0]
    assert (holders[1]["owner"], holders[1]["nodes"]) == ("another user", ["/dev/nvidia0"])


@pytest.mark.parametrize("path", ["/v1/owners", "/v1/containers", "/v1/holders", "/v1/gpus/GPU-0/owners"])
def test_nothing_of_one_user_is_told_to_another(ask: Asker, path: str) -> None:
    assert any(secret in json.dumps(ask(path, ALICE)) for secret in SECRETS)
    document = json.dumps(ask(path, BOB))
    told = [secret for secret in SECRETS if secret in document]
    # Bob's own cgroup may be called as he likes, that of Alice's container too
    assert told == ([A[:12]] if path == "/v1/containers" else [])
    with pytest.raises(Problem):
        ask(f"/v1/owners/{POD_ID}", BOB)
