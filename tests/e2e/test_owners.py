# SPDX-License-Identifier: MIT
"""The real daemon on a node of Kubernetes and Slurm: NVIDIA's bindings on the fake library, processes in cgroups of
pods and jobs, a kubelet over real TLS and at a real gRPC socket. What was given and held is one thing on all faces."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.host import Host
from tests.support import nvml_profiles as profiles
from tests.support.daemon import Daemon
from tests.support.kubelet import Kubelet, pod, pod_list, summary
from tests.support.node import Node
from tests.support.nvml import FakeNvml
from tests.support.nvml_machine import PLACE
from tests.support.nvml_profiles import GIB, uuid
from tests.support.processes import run
from tests.support.runtimes import Kubelet as PodResources

pytestmark = pytest.mark.tier("compiler")

TRAIN, NOTEBOOK, SLICED = (f"{n}f2c1f0e-1111-2222-3333-444455556666" for n in (5, 6, 7))
IDS = {TRAIN: "1f" * 32, NOTEBOOK: "2e" * 32, SLICED: "3d" * 32}
NAMES = {TRAIN: "train-0", NOTEBOOK: "nb-jo", SLICED: "sliced-0"}
MIG = "MIG-00000002-0000-0000-0000-000000000000"
DETAILED = "/metrics?level=detailed"
_UIDS = {"root": 0, "alice": 60_001, "bob": 60_002}


@pytest.fixture
def node(minimal_host: Host) -> Node:
    node = Node(minimal_host)
    for number, uid in enumerate(NAMES):
        node.start_pod(5001 + number, uid, IDS[uid], _UIDS["alice"])
    node.start(
        6001, "/system.slice/slurmstepd.scope/job_4711/step_batch/user/task_0", _UIDS["bob"], SLURM_JOB_ID="4711",
        SLURM_JOB_ACCOUNT="physics", SLURM_JOB_PARTITION="gpu", SLURM_JOB_GPUS="1", SLURM_JOB_USER="bob",
        CUDA_VISIBLE_DEVICES=uuid(1), AWS_SECRET_ACCESS_KEY="hush",
    )  # fmt: skip
    return node


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[Kubelet]:
    """250 pods, of which three are known better."""
    known = [pod(NAMES[uid], uid, {"cuda": IDS[uid]}) for uid in NAMES]
    others = [pod(f"p{n}", f"{n:08x}-0000-2222-3333-444455556666", {"c": f"{n:064x}"}) for n in range(247)]
    with contextlib.closing(Kubelet(tmp_path)) as kubelet:
        kubelet.answers["/pods"] = pod_list([*known, *others])
        kubelet.answers["/stats/summary"] = summary({(TRAIN, "ml", NAMES[TRAIN]): 5 * GIB})
        yield kubelet


@contextlib.contextmanager
def running(node: Node, kubelet: Kubelet, *flags: str) -> Iterator[tuple[Daemon, FakeNvml]]:
    """Three H100, the last one cut by MIG: pods have the first (one whole, beside it half of it: two replicas of four),
    the job has the second, and idles; the third pod has an instance of the third GPU."""
    (node.proc / "driver/nvidia").mkdir(parents=True)
    fake = FakeNvml(node.root.parent, profiles.h100(3), place=node.root / PLACE.lstrip("/"))
    fake.processes(0, "compute", [(5001, 7 * GIB), (5002, 2 * GIB)])
    fake.processes(2, "compute", [(5003, GIB)], mig=0)
    socket = PodResources(node.root / "var/lib/kubelet/pod-resources/kubelet.sock")
    socket.pods = [
        _given(TRAIN, "nvidia.com/gpu", f"{uuid(0)}::0", f"{uuid(0)}::1"),
        _given(NOTEBOOK, "nvidia.com/gpu", f"{uuid(0)}::3"),
        _given(SLICED, "nvidia.com/mig-3g.40gb", MIG),
    ]
    replicas = [f"{uuid(0)}::{n}" for n in range(4)]
    socket.allocatable = [{"resource_name": "nvidia.com/gpu", "device_ids": replicas}]
    socket.start()
    try:
        roots = f"--nvidia.library-roots={PLACE}"
        with Daemon.start(roots, *kubelet.flags, *flags, host=node.host, **fake.environ) as daemon:
            yield daemon, fake
    finally:
        socket.stop()


def _given(uid: str, resource: str, *ids: str) -> dict[str, Any]:
    devices = [{"resource_name": resource, "device_ids": list(ids)}]
    return {"name": NAMES[uid], "namespace": "ml", "containers": [{"name": "cuda", "devices": devices}]}


def owner(uid: str) -> dict[str, str]:
    labels = {"owner": f"ml/{NAMES[uid]}", "kind": "pod", "namespace": "ml", "pod": NAMES[uid], "container": "cuda"}
    return {**labels, "job_id": "", "unit": ""}


JOB = {"owner": "slurm 4711", "kind": "job", "namespace": "", "pod": "", "container": "", "job_id": "4711", "unit": ""}


def on_gpu(number: int) -> dict[str, str]:
    return {"gpu": str(number), "uuid": uuid(number)}


def wait_for_owners(daemon: Daemon) -> None:
    """Until all is told: by NVML, by the kubelet, by the job, and joined."""

    def are_there() -> bool:
        read = daemon.scrape(DETAILED)
        counts = {
            "hw_owner_gpu_allocated": 4, "hw_owner_gpu_idle_seconds": 4, "hw_owner_gpu_memory_usage_bytes": 3,
            "hwinfod_kubelet_pods": 5, "hw_owner_ephemeral_storage_usage_bytes": 1,
        }  # fmt: skip
        told = {dict(labels).get("account") for labels in read.series("hw_owner_info")}
        named = {each["identity"].get("phase") for each in daemon.get("/v1/owners").json()["owners"]}
        are_known = "physics" in told and "Running" in named
        return are_known and all(len(read.series(name)) == count for name, count in counts.items())

    daemon.wait_until(are_there, "owners")


def test_given_and_held_on_every_face(node: Node, kubelet: Kubelet) -> None:
    with running(node, kubelet) as (daemon, _):
        wait_for_owners(daemon)
        read = daemon.scrape(DETAILED)
        assert read.value("hw_owner_gpu_memory_usage_bytes", **owner(TRAIN), **on_gpu(0)) == 7 * GIB
        assert read.value("hw_owner_gpu_allocated", **owner(TRAIN), **on_gpu(0)) == 0.5
        assert read.value("hw_owner_gpu_allocated", **owner(NOTEBOOK), **on_gpu(0)) == 0.25
        assert read.value("hw_owner_gpu_allocated", **owner(SLICED), **on_gpu(2)) == pytest.approx(3 / 7, abs=1e-6)
        assert read.value("hw_owner_gpu_allocated", **JOB, **on_gpu(1)) == 1
        assert read.value("hw_owner_gpu_idle_seconds", **JOB, **on_gpu(1)) >= 0
        assert read.value("hw_owner_info", **JOB, pod_uid="", container_id="", account="physics", partition="gpu") == 1
        more = {"pod_uid": TRAIN, "container_id": IDS[TRAIN], "account": "", "partition": ""}
        assert read.value("hw_owner_info", **owner(TRAIN), **more) == 1
        assert read.value("hwinfod_kubelet_pods", phase="Running") == 250
        storage = {**owner(TRAIN), "container": ""}
        assert read.value("hw_owner_ephemeral_storage_usage_bytes", **storage) == 5 * GIB
        for name, labels in read.samples:
            if name.startswith("hw_owner_") and not name.endswith("_dropped"):
                assert dict(labels).keys() >= JOB.keys(), name

        of_gpu = {each["owner"]: each for each in daemon.get(f"/v1/gpus/{uuid(0)}/owners").json()["owners"]}
        assert set(of_gpu) == {"ml/train-0", "ml/nb-jo"}
        assert of_gpu["ml/train-0"]["devices"][0]["processes"][0]["pid"] == 5001
        (given,) = of_gpu["ml/train-0"]["allocated"]
        assert (given["sharing"], given["share"], given["sources"]) == ("time-slicing", 0.5, ["pod-resources"])
        owners = {each["owner"]: each for each in daemon.get("/v1/owners").json()["owners"]}
        assert (owners["slurm 4711"]["devices"], owners["slurm 4711"]["uid"]) == ([], _UIDS["bob"])
        assert owners["slurm 4711"]["identity"]["account"] == "physics"
        assert owners["ml/sliced-0"]["allocated"][0]["part"] == MIG
        assert owners["ml/sliced-0"]["identity"]["phase"] == "Running"

        done = run(sys.executable, "-m", "hwinfod.ctl", f"--socket={daemon.socket}", "who", "gpu", "0")
        screen = done.stdout.decode()
        assert done.returncode == 0, done.stderr.decode()
        assert [line.split()[:3] for line in screen.splitlines()[2:4]] == [
            ["ml/train-0", "pod", "0.5"], ["ml/nb-jo", "pod", "0.25"],
        ]  # fmt: skip
        everything = daemon.get("/v1/owners").text + screen + daemon.get(DETAILED).text
        assert "hush" not in everything


def test_a_kubelet_in_trouble_costs_its_names_and_nothing_else(node: Node, kubelet: Kubelet) -> None:
    kubelet.allowed = {"stats"}
    soon = ("--collector.kubelet.interval=1s", "--collector.kubelet.storage-interval=1s")
    with running(node, kubelet, *soon) as (daemon, _):

        def state() -> dict[str, Any]:
            return dict(daemon.collectors()["kubelet"])

        daemon.wait_until(lambda: state()["state"] == "failing", "the refusal")
        assert "the token may not get nodes/pods (403)" in state()["reason"]
        kubelet.allowed = {"pods"}
        daemon.wait_until(lambda: "nodes/stats" in state()["skipped"].get("ephemeral storage", ""), "the other refusal")
        assert state()["state"] == "ok"
        kubelet.fault = "hang"
        daemon.wait_until(lambda: state()["busy_seconds"] > 1, "a call that hangs")
        daemon.wait_more_samples("cpu", 3)
        daemon.wait_more_samples("owners", 1)
        assert daemon.collectors()["owners"]["state"] == "ok"
        assert daemon.stop() == 0


_ASK_AS = """
import json, os, sys
from tests.support.unix_http import get
socket, uid, *paths = sys.argv[1:]
os.setgroups([])
os.setgid(65534)
os.setuid(int(uid))
print(json.dumps({path: get(socket, path).text for path in paths}))
"""


@pytest.mark.tier("root")
def test_three_users_see_what_is_theirs(node: Node, kubelet: Kubelet) -> None:
    paths = ["/v1/owners", f"/v1/gpus/{uuid(0)}/owners", "/v1/samples", "/metrics"]
    with running(node, kubelet) as (daemon, _):
        wait_for_owners(daemon)
        daemon.directory.chmod(0o755)
        told: dict[str, dict[str, str]] = {}
        for user, uid in _UIDS.items():
            done = run(sys.executable, "-c", _ASK_AS, daemon.socket, str(uid), *paths)
            assert done.returncode == 0, done.stderr.decode()
            told[user] = json.loads(done.stdout)
    names = {user: {each["owner"] for each in json.loads(said["/v1/owners"])["owners"]} for user, said in told.items()}
    alices = {f"ml/{name}" for name in NAMES.values()}
    assert alices | {"slurm 4711"} <= names["root"]
    assert alices <= names["alice"] <= alices | {"another user"}
    assert "slurm 4711" in names["bob"] <= {"slurm 4711", "another user"}
    of_gpu = json.loads(told["bob"][paths[1]])["owners"]
    assert {each["owner"] for each in of_gpu} == {"another user"}
    assert sorted(each["allocated"][0]["share"] for each in of_gpu) == [0.25, 0.5]
    for user, secrets in (("alice", ["4711", "physics"]), ("bob", [*NAMES.values(), TRAIN, IDS[TRAIN], "5001"])):
        everything = "".join(told[user].values())
        assert not [secret for secret in secrets if f'"{secret}"' in everything], user
