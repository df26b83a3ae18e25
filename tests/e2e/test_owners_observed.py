# SPDX-License-Identifier: MIT
"""The real daemon on a node with AMD GPUs: a process in a container of a pod holds memory through KFD, a monitor has a
node open. They are the pod's and the monitor's on every face, and for each user as far as he may see."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.host import Host
from tests.fixtures.host.gpus import GIB, GpuHost
from tests.support.daemon import Daemon
from tests.support.node import Node
from tests.support.processes import run

POD_UID, CONTAINER = "5f2c1f0e-1111-2222-3333-444455556666", "1f" * 32
TRAIN = {"owner": "ml/train-0", "kind": "pod", "namespace": "ml", "pod": "train-0", "container": "cuda", "job_id": "",
         "unit": ""}  # fmt: skip
ALICE, BOB = 60_001, 60_002
DETAILED = "/metrics?level=detailed"
_UIDS = {"root": 0, "alice": ALICE, "bob": BOB}
_ASK_AS = """
import json, os, sys
from tests.support.unix_http import get
socket, uid, *paths = sys.argv[1:]
os.setgroups([])
os.setgid(65534)
os.setuid(int(uid))
print(json.dumps({path: get(socket, path).json() for path in paths}))
"""


@pytest.fixture
def node(minimal_host: Host) -> Node:
    node = Node(minimal_host)
    gpus = GpuHost(Path(minimal_host.tree.root))
    boards = [gpus.add_instinct(number) for number in range(2)]
    gpus.use(5001, {boards[0].gpu_ids[0]: 70 * GIB, boards[1].gpu_ids[0]: 5 * GIB}, start=os.sysconf("SC_CLK_TCK"))
    node.start_pod(5001, POD_UID, CONTAINER, ALICE)
    node.open(5001, "/dev/kfd", "/dev/dri/renderD128", "/dev/dri/renderD129")
    node.start(600, "/system.slice/rocm-monitor.service", 0)
    node.open(600, "/dev/dri/renderD128")
    logs = node.root / "var/log/containers"
    logs.mkdir(parents=True)
    (logs / f"train-0_ml_cuda-{CONTAINER}.log").symlink_to(f"/var/log/pods/ml_train-0_{POD_UID}/cuda/0.log")
    return node


@contextlib.contextmanager
def running(node: Node, *more: str, wrapper: Sequence[str] = ()) -> Iterator[Daemon]:
    flags = (
        "--collector.device-nodes.interval=1s",
        "--collector.owners.interval=1s",
        "--collector.owner-usage.interval=1s",
    )
    with Daemon.start(*flags, *more, host=node.host, wrapper=wrapper) as daemon:

        def is_told() -> bool:
            held = daemon.scrape(DETAILED).series("hw_owner_gpu_memory_usage_bytes")
            named = [dict(labels) for labels in held if ("owner", "ml/train-0") in labels]
            usage = daemon.get("/v1/containers").json()["containers"]
            return len(named) == 2 and len(daemon.get("/v1/holders").json()["holders"]) == 2 and bool(usage)

        daemon.wait_until(is_told, "owners")
        yield daemon


def ctl(daemon: Daemon, *arguments: str) -> list[str]:
    done = run(sys.executable, "-m", "hwinfod.ctl", f"--socket={daemon.socket}", *arguments)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


def test_who_holds_memory_and_who_has_nodes_open_on_every_face(node: Node) -> None:
    with running(node) as daemon:
        read = daemon.scrape(DETAILED)
        uuids = {dict(labels)["gpu"]: dict(labels)["uuid"] for labels in read.series("hw_gpu_up")}
        for index, memory in (("0", 70 * GIB), ("1", 5 * GIB)):
            gpu = {"gpu": index, "uuid": uuids[index]}
            assert read.value("hw_owner_gpu_memory_usage_bytes", **TRAIN, **gpu) == memory
            assert read.value("hw_owner_gpu_processes", **TRAIN, **gpu) == 1
            used = read.value("hw_gpu_memory_usage_bytes", **gpu)
            assert read.value("hw_gpu_memory_unattributed_bytes", **gpu) == used - memory
        assert read.value("hw_owner_cpu_seconds_total", **TRAIN) == 2.5
        assert read.value("hw_device_node_holders", **{"class": "dri"}) == 2

        (container,) = daemon.get("/v1/containers").json()["containers"]
        assert (container["id"], container["pod"], container["container"]) == (CONTAINER, "train-0", "cuda")
        assert [device["amounts"]["memory_bytes"] for device in container["devices"]] == [70 * GIB, 5 * GIB]
        page = daemon.get(f"/v1/owners/{container['owner_id']}").json()
        assert page["usage"]["values"]["cpu_seconds_total"] == 2.5
        (process,) = page["nodes"]
        assert (process["pid"], process["devices"], process["memory_bytes"]) == (5001, list(uuids.values()), 75 * GIB)

        assert [line.split()[:3] for line in ctl(daemon, "owners")[1:2]] == [["ml/train-0", "pod", "-"]]
        of_gpu = ctl(daemon, "who", "gpu", "0")
        assert "ml/train-0" in of_gpu[2]
        assert "open, and holds nothing: rocm-monitor.service (python) dri/renderD128" in of_gpu
        holders = ctl(daemon, "holders")
        assert holders[1].split() == ["5001", "python", "75", "GiB", "ml/train-0", "dri/renderD128-129", "kfd"]
        assert holders[2].split() == ["600", "python", "none", "rocm-monitor.service", "dri/renderD128"]
        whose = ctl(daemon, "who", "pid", "5001")
        assert whose[0] == "ml/train-0  pod"
        assert whose[1].startswith(f"  process  python  pid 5001  user {ALICE}  for ")
        assert whose[-1].split() == ["open", "dri/renderD128-129", "kfd"]
        assert [line for line in whose if "memory 70 GiB" in line]
        assert ctl(daemon, "who", "pid", "600")[0] == "rocm-monitor.service  unit"


@pytest.mark.tier("root")
def test_three_users_see_containers_and_holders_as_far_as_they_may(node: Node) -> None:
    with running(node) as daemon:
        daemon.directory.chmod(0o755)
        told: dict[str, dict[str, Any]] = {}
        for user, uid in _UIDS.items():
            paths = ("/v1/containers", "/v1/holders", "/v1/processes/5001", "/v1/processes/600", "/v1/processes/5002")
            done = run(sys.executable, "-c", _ASK_AS, daemon.socket, str(uid), *paths)
            assert done.returncode == 0, done.stderr.decode()
            told[user] = json.loads(done.stdout)
    containers = {user: [c["pod"] for c in said["/v1/containers"]["containers"]] for user, said in told.items()}
    assert containers == {"root": ["train-0"], "alice": ["train-0"], "bob": []}
    holders = {user: [h["pid"] for h in said["/v1/holders"]["holders"]] for user, said in told.items()}
    assert holders == {"root": [5001, 600], "alice": [5001, 0], "bob": [0]}
    whose = {user: [said[f"/v1/processes/{pid}"].get("owner") for pid in (5001, 600)] for user, said in told.items()}
    assert whose == {
        "root": ["ml/train-0", "rocm-monitor.service"], "alice": ["ml/train-0", None], "bob": [None, None],
    }  # fmt: skip
    assert told["bob"]["/v1/processes/5001"]["detail"] == told["bob"]["/v1/processes/5002"]["detail"]
    said = json.dumps(list(told["bob"].values()))
    assert not [secret for secret in ("train-0", POD_UID, CONTAINER, "5001", "rocm-monitor") if secret in said]
