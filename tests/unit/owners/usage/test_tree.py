# SPDX-License-Identifier: MIT
"""What is accounted: each thing once; and changes are seen without listing what did not change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwinfod.owners.identity import Owner, claimed_by
from hwinfod.owners.usage import tree
from hwinfod.owners.usage.tree import Tree

A, B = "1f" * 32, "2e" * 32
POD = "kubepods.slice/kubepods-pod5f2c1f0e_1111_2222_3333_444455556666.slice"


def paths(of: Tree) -> list[str]:
    return [cgroup.path.lstrip("/") for cgroup in of.rescan()]


def make(base: Path, *names: str) -> Tree:
    for name in names:
        (base / name).mkdir(parents=True)
    return Tree(str(base))


def test_a_pod_is_its_containers(tmp_path: Path) -> None:
    containers = [f"{POD}/cri-containerd-{name}.scope" for name in (A, B)]
    assert paths(make(tmp_path, *containers)) == containers


def test_a_container_is_whole_and_not_walked(tmp_path: Path) -> None:
    outer = f"system.slice/docker-{A}.scope"
    assert paths(make(tmp_path, f"{outer}/kubelet/{POD}/cri-containerd-{B}.scope")) == [outer]


def test_a_job_is_all_its_steps(tmp_path: Path) -> None:
    job = "system.slice/slurmstepd.scope/job_4711"
    assert paths(make(tmp_path, f"{job}/step_0/user/task_0", f"{job}/step_batch")) == [job]


def test_a_unit_is_whole_unless_it_holds_a_workload(tmp_path: Path) -> None:
    service, delegate = "system.slice/web.service", f"system.slice/k3s.service/docker-{A}.scope"
    found = paths(make(tmp_path, f"{service}/worker", delegate, "system.slice/run-a.mount"))
    assert sorted(found) == sorted([service, delegate])


def test_units_of_a_user_stand_for_themselves(tmp_path: Path) -> None:
    user = "user.slice/user-1000.slice"
    units = [f"{user}/session-2.scope", f"{user}/user@1000.service/app.slice/editor.service"]
    assert sorted(paths(make(tmp_path, *units))) == sorted(units)


def test_changes_are_seen(tmp_path: Path) -> None:
    found = make(tmp_path, f"docker/{A}")
    assert paths(found) == [f"docker/{A}"]
    os.rmdir(tmp_path / "docker" / A)
    os.mkdir(tmp_path / "docker" / B)  # the link count is what it was
    assert paths(found) == [f"docker/{B}"]
    os.mkdir(tmp_path / "docker" / A)
    assert paths(found) == [f"docker/{A}", f"docker/{B}"]
    os.rmdir(tmp_path / "docker" / A)
    assert paths(found) == [f"docker/{B}"]


def test_a_cgroup_made_anew_under_its_name_is_another_one(tmp_path: Path) -> None:
    found = make(tmp_path, f"docker/{A}")
    (before,) = found.rescan()
    os.rename(tmp_path / "docker" / A, tmp_path / "elsewhere")
    os.mkdir(tmp_path / "docker" / A)
    (after,) = found.rescan()
    assert before.path == after.path
    assert before.inode != after.inode


def test_workloads_are_left_alone_in_a_pass_that_is_not_thorough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = make(tmp_path, f"docker/{A}", "system.slice/web.service")
    found.rescan()
    looked: list[str] = []
    stat = os.stat
    monkeypatch.setattr(tree.os, "stat", lambda path: (looked.append(path), stat(path))[1])
    assert [cgroup.path for cgroup in found.rescan(thorough=False)] == [f"/docker/{A}", "/system.slice/web.service"]
    assert str(tmp_path / "docker" / A) not in looked
    assert str(tmp_path / "system.slice/web.service") in looked
    os.rmdir(tmp_path / "docker" / A)
    assert [cgroup.path for cgroup in found.rescan(thorough=False)] == ["/system.slice/web.service"]


def test_beside_one_that_came_all_are_looked_at(tmp_path: Path) -> None:
    docker = tmp_path / "tree/docker"
    found = make(tmp_path / "tree", f"docker/{A}")
    (before,) = found.rescan()
    os.rename(docker / A, tmp_path / "elsewhere")
    os.mkdir(docker / A)
    assert list(found.rescan(thorough=False)) == [before]
    os.mkdir(docker / B)
    after = {cgroup.path: cgroup.inode for cgroup in found.rescan(thorough=False)}
    assert after[before.path] != before.inode


def test_only_what_changed_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = make(tmp_path, f"docker/{A}", "system.slice/web.service")
    found.rescan()
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(tree.os, "scandir", lambda path: listed.append(path) or scandir(path))
    found.rescan()
    assert listed == []
    os.mkdir(tmp_path / "docker" / B)
    found.rescan()
    assert listed == [str(tmp_path / "docker")]


def test_a_flood_of_directories_is_bounded_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST_DIRECTORIES", 4)
    found = make(tmp_path, *(f"user.slice/x{n}.service" for n in range(9)))
    assert len(paths(found)) == 3
    assert found.left_out == 6
    for name in ("x0", "x1"):
        os.rmdir(tmp_path / f"user.slice/{name}.service")
    paths(found)
    assert len(paths(found)) > 2
    assert found.left_out <= 4


@pytest.mark.tier("root")
def test_a_delegated_unit_is_its_users_territory(tmp_path: Path) -> None:
    unit = "system.slice/jupyter-alice.service"
    own = make(tmp_path, f"{unit}/{POD}/cri-containerd-{A}.scope", f"{POD}/cri-containerd-{A}.scope")
    for path in (unit, f"{unit}/kubepods.slice", f"{unit}/{POD}"):
        os.chown(tmp_path / path, 1000, -1)
    owners = {cgroup.path: owner for cgroup, owner in own.rescan().items()}
    forged, real = owners[f"/{unit}/{POD}/cri-containerd-{A}.scope"], owners[f"/{POD}/cri-containerd-{A}.scope"]
    assert (forged.within, real.within) == (Owner("user", user="1000"), None)
    assert forged == claimed_by(1000, real)
