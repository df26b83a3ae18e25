# SPDX-License-Identifier: MIT
"""Names from disk, and their way to attribution through `host.names` and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from hwinfod.core.owner import ContainerName, Names
from hwinfod.owners.identity import CONTAINER, Owner
from hwinfod.owners.names.book import NameBook
from hwinfod.owners.names.collector import OwnerNames
from hwinfod.sources import oci_bundle
from tests.support.bench import Bench

A = "1f" * 32
UID = "5f2c1f0e-1111-2222-3333-444455556666"
TASKS = "root/run/containerd/io.containerd.runtime.v2.task"


def write(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def names_of(bench: Bench, source: str = "bundles") -> Names:
    return bench.host.names.current[source]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(OwnerNames, tmp_path)


def test_a_host_without_containers_has_no_names_and_is_not_blind(bench: Bench) -> None:
    values = bench.run()
    assert names_of(bench, "logs") == names_of(bench) == Names()
    assert values["hwinfod_owner_names{source=bundles}"] == 0


def test_names_of_a_bundle_come_within_one_beat_and_leave_with_it(bench: Bench, tmp_path: Path) -> None:
    bench.run()
    annotations = {"io.kubernetes.cri.container-name": "cuda", "io.kubernetes.cri.sandbox-name": "train-0"}
    write(tmp_path / TASKS / "k8s.io" / A / "config.json", {"annotations": annotations})
    assert bench.run(after=10)["hwinfod_owner_names{source=bundles}"] == 1
    assert names_of(bench).containers == (ContainerName(A, "cuda", "", "train-0"),)
    shutil.rmtree(tmp_path / TASKS / "k8s.io" / A)
    bench.run(after=10)
    assert names_of(bench).containers == ()


def test_what_a_bundle_was_given_comes_and_leaves_with_it(bench: Bench, tmp_path: Path) -> None:
    hook = {"prestart": [{"path": "/usr/bin/nvidia-container-runtime-hook"}]}
    spec = {"process": {"env": ["NVIDIA_VISIBLE_DEVICES=GPU-1"]}, "hooks": hook}
    write(tmp_path / TASKS / "moby" / A / "config.json", spec)
    bench.run()
    (found,) = bench.host.allocations.current["bundle"].allocations
    assert (found.container_id, found.device_ids) == (A, ("GPU-1",))
    shutil.rmtree(tmp_path / TASKS / "moby" / A)
    bench.run(after=10)
    assert bench.host.allocations.current["bundle"].allocations == ()
    bench.runner.close()
    assert bench.host.allocations.current == {}


def test_an_unchanged_host_hands_over_the_same_snapshot(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "root/var/log/pods" / f"ml_train-0_{UID}").mkdir(parents=True)
    bench.run()
    names = names_of(bench, "logs")
    assert [pod.pod for pod in names.pods] == ["train-0"]
    bench.run(after=10)
    assert names_of(bench, "logs") is names


def test_logs_and_bundles_that_disagree_are_told_and_change_nothing_by_turns(bench: Bench, tmp_path: Path) -> None:
    logs = tmp_path / "root/var/log/containers"
    logs.mkdir(parents=True)
    (logs / f"train-0_ml_cuda-{A}.log").symlink_to("x")
    annotations = {"io.kubernetes.cri.container-name": "cuda", "io.kubernetes.cri.sandbox-name": "train-9"}
    write(tmp_path / TASKS / "k8s.io" / A / "config.json", {"annotations": annotations})
    book, owner = NameBook(), Owner(CONTAINER, "containerd", A)
    for identifier in ("2e" * 32, "3d" * 32):
        bench.run(after=10)
        book.learn(bench.host.names.current)
        assert book.conflicts_of(owner) == ("pod is train-0 by logs, train-9 by bundles",)
        assert book.labels_of(owner)[3] == "train-9"
        (logs / f"train-0_ml_cuda-{identifier}.log").symlink_to("x")


def test_podmans_containers_have_the_names_that_its_storage_keeps(bench: Bench, tmp_path: Path) -> None:
    write(tmp_path / f"root{oci_bundle.STORAGE_RUN}" / A / "userdata/config.json", {})
    write(tmp_path / f"root{oci_bundle.STORAGE_NAMES[0]}", [{"id": A, "names": ["jupyter"]}])
    bench.run()
    assert names_of(bench).containers == (ContainerName(A, "jupyter"),)


def test_a_broken_list_of_podmans_costs_its_names_only(bench: Bench, tmp_path: Path) -> None:
    write(tmp_path / f"root{oci_bundle.STORAGE_RUN}" / A / "userdata/config.json", {})
    path = tmp_path / f"root{oci_bundle.STORAGE_NAMES[0]}"
    path.parent.mkdir(parents=True)
    path.write_text("[{")
    bench.run()
    assert list(bench.skipped) == ["names of Podman's containers"]
    assert names_of(bench).containers == (ContainerName(A, ""),)


def test_what_may_not_be_read_is_said(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = str(tmp_path / TASKS)
    listdir = os.listdir

    def refuse(path: str) -> list[str]:
        if path == tasks:
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(oci_bundle.os, "listdir", refuse)
    bench.run()
    (reason,) = names_of(bench).blind
    assert reason.startswith(f"attribution blind: {tasks} may not be read")
    assert "CAP_DAC_READ_SEARCH" in reason


def test_a_closed_collector_leaves_no_names_but_a_book_remembers(bench: Bench, tmp_path: Path) -> None:
    write(tmp_path / TASKS / "k8s.io" / A / "config.json", {"annotations": {"nerdctl/name": "web"}})
    bench.run()
    book = NameBook()
    book.learn(bench.host.names.current)
    bench.runner.close()
    assert bench.host.names.current == {}
    book.learn(bench.host.names.current)
    name = book.name_of(Owner(CONTAINER, "containerd", A))
    assert name is not None
    assert name.container == "web"
