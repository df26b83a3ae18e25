# SPDX-License-Identifier: MIT
"""The checkpoint of the kubelet's device manager: of pods that run, for who may read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwinfod.core.health import State
from hwinfod.errors import Denied
from hwinfod.owners.allocated import checkpoint as module
from hwinfod.owners.allocated.checkpoint import KubeletCheckpoint
from hwinfod.sources.kubelet_checkpoint import CHECKPOINT
from tests.support.allocations import NVIDIA, UID
from tests.support.bench import Bench
from tests.support.owners import POD

GPU = NVIDIA[0]


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A host with cgroup v2 where one pod runs, and a kubelet that gave it half of a GPU, and another pod the rest."""
    cgroup = tmp_path / "sys/fs/cgroup"
    (cgroup / POD).mkdir(parents=True)
    (cgroup / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(f"30 25 0:26 / {cgroup} rw - cgroup2 cgroup2 rw\n")
    return tmp_path


def write(node: Path, *uids: str) -> None:
    entries = [
        {"PodUID": uid, "ContainerName": "cuda", "ResourceName": "nvidia.com/gpu", "DeviceIDs": {"0": [f"{GPU}::{n}"]}}
        for n, uid in enumerate(uids)
    ]
    data = {"PodDeviceEntries": entries, "RegisteredDevices": {"nvidia.com/gpu": [f"{GPU}::0", f"{GPU}::1"]}}
    path = node / f"root{CHECKPOINT}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"Data": data, "Checksum": 1}))


def test_pods_that_run_and_not_those_that_ended(node: Path) -> None:
    write(node, UID, "00000000-1111-2222-3333-444455556666")
    bench = Bench(KubeletCheckpoint, node)
    assert bench.run() == {"hwinfod_kubelet_checkpoint_entries": 1}
    told = bench.host.allocations.current["checkpoint"]
    (found,) = told.allocations
    assert (found.pod_uid, found.container, found.device_ids, found.devices) == (UID, "cuda", (f"{GPU}::0",), (GPU,))
    (all_,) = told.allocatable
    assert (all_.resource, all_.device_ids, all_.devices) == ("nvidia.com/gpu", (f"{GPU}::0", f"{GPU}::1"), (GPU,))
    bench.runner.close()
    assert bench.host.allocations.current == {}


def test_a_change_is_seen(node: Path) -> None:
    write(node)
    bench = Bench(KubeletCheckpoint, node)
    assert bench.run() == {"hwinfod_kubelet_checkpoint_entries": 0}
    write(node, UID)
    assert bench.run() == {"hwinfod_kubelet_checkpoint_entries": 1}


def test_what_may_not_be_read_is_said(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(node, UID)

    def refuse(roots: object) -> None:
        raise Denied(CHECKPOINT, 13)

    monkeypatch.setattr(module, "read_checkpoint", refuse)
    bench = Bench(KubeletCheckpoint, node)
    assert bench.attempt() is State.OK
    (reason,) = bench.host.allocations.current["checkpoint"].blind
    assert reason.startswith(f"attribution blind: {CHECKPOINT} may not be read")
    assert "CAP_DAC_READ_SEARCH" in reason


def test_garbage_is_a_failure_with_a_name(node: Path) -> None:
    write(node)
    (node / f"root{CHECKPOINT}").write_bytes(b"\x00garbage")
    bench = Bench(KubeletCheckpoint, node)
    assert bench.attempt() is State.FAILING
    assert "garbage" in bench.reason


def test_a_host_without_a_kubelet(node: Path) -> None:
    assert Bench(KubeletCheckpoint, node).attempt() is State.ABSENT


def test_a_kubelet_without_device_plugins(node: Path) -> None:
    (node / "root/var/lib/kubelet").mkdir(parents=True)
    bench = Bench(KubeletCheckpoint, node)
    assert bench.attempt() is State.ABSENT
    assert bench.reason == "the kubelet has no checkpoint of devices"
