# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.files import Roots
from hwinfod.sources.kubelet_logs import (
    ContainerLog,
    PodLogs,
    parse_container_link,
    parse_pod_directory,
    read_containers,
    read_pods,
)

UID = "8d3f1c52-7a61-4b1e-9c0d-5e6f7a8b9c0d"
STATIC = "c1c8d14e1b4f9d36ad3ab8b9b1b4b4c2"
ID = "1f" * 32


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"ml_train-0_{UID}", PodLogs("ml", "train-0", UID)),
        (f"kube-system_etcd-cp1.example.org_{STATIC}", PodLogs("kube-system", "etcd-cp1.example.org", STATIC)),
        (f"ml_train_0_{UID}", None),
        (f"ml_train-0_{UID[:-1]}", None),
        (f"ml_train-0_{UID.upper()}", None),
        (f"_train-0_{UID}", None),
        (f"ml_-train_{UID}", None),
        (f"ml_train\x1b[2J_{UID}", None),
        (f"ml_tr\u00e4in_{UID}", None),
        (f"ml_{'a' * 254}_{UID}", None),
        ("lost+found", None),
        ("", None),
    ],
)
def test_pod_directory(name: str, expected: PodLogs | None) -> None:
    assert parse_pod_directory(name) == expected


LINK = f"train-0_ml_cuda-{ID}.log"


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        (LINK, f"/var/log/pods/ml_train-0_{UID}/cuda/0.log", ContainerLog(ID, "ml", "train-0", "cuda", UID)),
        (LINK, f"../pods/ml_train-0_{UID}/cuda/12.log", ContainerLog(ID, "ml", "train-0", "cuda", UID)),
        (LINK, f"/var/lib/docker/containers/{ID}/{ID}-json.log", ContainerLog(ID, "ml", "train-0", "cuda", "")),
        (LINK, "", ContainerLog(ID, "ml", "train-0", "cuda", "")),
        (LINK, f"/var/log/pods/other_pod_{UID}/cuda/0.log", ContainerLog(ID, "ml", "train-0", "cuda", "")),
        (f"a_b_side-car-{ID}.log", "", ContainerLog(ID, "b", "a", "side-car", "")),
        (LINK[:-4], "", None),
        (LINK[:-5], "", None),
        (f"train-0_ml_cuda{ID}.log", "", None),
        (f"train-0_ml_-{ID}.log", "", None),
        (f"train-0_ml_cuda-{'g' * 64}.log", "", None),
        (f"train-0_cuda-{ID}.log", "", None),
        (f"TRAIN_ml_cuda-{ID}.log", "", None),
        (f"train_ml_c/d-{ID}.log", "", None),
        (".log", "", None),
    ],
)
def test_container_link(name: str, target: str, expected: ContainerLog | None) -> None:
    assert parse_container_link(name, target) == expected


@given(st.text(), st.text())
def test_any_text(name: str, target: str) -> None:
    for found in (parse_pod_directory(name), parse_container_link(name, target), parse_container_link(LINK, target)):
        assert found is None or all(part.isprintable() for part in found)


def test_read(tmp_path: Path) -> None:
    pods, containers = tmp_path / "var/log/pods", tmp_path / "var/log/containers"
    (pods / f"ml_train-0_{UID}/cuda").mkdir(parents=True)
    (pods / "not-a-pod").mkdir()
    containers.mkdir(parents=True)
    (containers / LINK).symlink_to(f"/var/log/pods/ml_train-0_{UID}/cuda/0.log")
    (containers / f"plain_file_x-{ID}.log").write_text("")
    (containers / "stranger").symlink_to("/etc")
    roots = Roots(rootfs=str(tmp_path))
    assert read_pods(roots) == [PodLogs("ml", "train-0", UID)]
    assert read_containers(roots) == [ContainerLog(ID, "ml", "train-0", "cuda", UID)]


def test_without_a_kubelet(tmp_path: Path) -> None:
    roots = Roots(rootfs=str(tmp_path))
    assert read_pods(roots) == []
    assert read_containers(roots) == []
