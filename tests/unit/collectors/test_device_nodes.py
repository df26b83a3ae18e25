# SPDX-License-Identifier: MIT
"""Who has device nodes open: of a host with none, of made-up processes, of a real process of this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hwinfod.collectors import device_nodes
from hwinfod.collectors.device_nodes import DeviceNodes
from hwinfod.core.health import State
from hwinfod.core.holding import NodeUse, NodeUser
from hwinfod.errors import Denied
from hwinfod.sources import process_walk
from hwinfod.sources.process_walk import list_open_files
from tests.support.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "root/dev").mkdir(parents=True)
    (tmp_path / "root/dev/nvidia0").touch()
    (tmp_path / "proc").mkdir()
    return Bench(DeviceNodes, tmp_path)


def run(directory: Path, pid: int, *targets: str) -> None:
    process = directory / "proc" / str(pid)
    (process / "fd").mkdir(parents=True)
    for number, target in enumerate(targets):
        (process / "fd" / str(number)).symlink_to(target)
    (process / "stat").write_text(f"{pid} (x) S 1 0 0 0 -1 0{' 0' * 12} {pid * 10} 0\n")


def test_processes_by_what_they_have_open(bench: Bench, tmp_path: Path) -> None:
    run(tmp_path, 20, "/dev/nvidia0", "/dev/nvidia0", "/dev/nvidiactl (deleted)", "/dev/infiniband/uverbs1")
    run(tmp_path, 30, "/dev/nvidiactl")
    run(tmp_path, 40, "/dev/null")
    values = bench.run()
    assert bench.host.node_use == NodeUse(
        bench.clock.boottime_ns(),
        (
            NodeUser(20, 200, ("/dev/infiniband/uverbs1", "/dev/nvidia0", "/dev/nvidiactl")),
            NodeUser(30, 300, ("/dev/nvidiactl",)),
        ),
    )
    assert values["hw_device_node_holders{class=nvidia}"] == 2
    assert values["hw_device_node_holders{class=infiniband}"] == 1
    assert values["hw_device_node_holders{class=vfio}"] == 0


def test_a_pass_over_many_processes_goes_on_in_the_next_tick(bench: Bench, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(device_nodes, "_FIRST_STEP_CPU_SECONDS", 0)
    for pid in range(1, 4):
        run(tmp_path, pid, "/dev/kfd")
    begun = bench.clock.boottime_ns() + 10**9
    assert bench.run() == {}
    assert bench.host.node_use == NodeUse()
    for _ in range(3):
        bench.run()
    assert bench.host.node_use.boottime_ns == begun
    assert [user.pid for user in bench.host.node_use.users] == [1, 2, 3]


def test_a_pass_begins_every_fifteen_seconds(bench: Bench, tmp_path: Path) -> None:
    bench.run()
    run(tmp_path, 20, "/dev/nvidia0")
    begun = bench.host.node_use.boottime_ns
    bench.run(after=10)
    assert bench.host.node_use == NodeUse(begun)
    bench.run(after=5)
    assert [user.pid for user in bench.host.node_use.users] == [20]


def test_blindness_is_said(bench: Bench, tmp_path: Path, monkeypatch) -> None:
    def refuse(roots, pid, is_wanted):
        if pid == 20:
            raise Denied("fd", 13)
        return list_open_files(roots, pid, is_wanted)

    monkeypatch.setattr(process_walk, "list_open_files", refuse)
    run(tmp_path, 20, "/dev/nvidia0")
    run(tmp_path, 30, "/dev/nvidia0")
    assert bench.run()["hwinfod_device_node_hidden_processes"] == 1
    assert "1 processes may not be looked into" in bench.skipped["processes"]
    assert len(bench.host.node_use.users) == 1


def test_a_host_without_nodes(tmp_path: Path) -> None:
    bench = Bench(DeviceNodes, tmp_path)
    assert bench.attempt() is State.ABSENT
    assert bench.host.node_use == NodeUse()


CONTAINER = "mount -t tmpfs none /dev && touch /dev/nvidia0 && exec 3</dev/nvidia0 && echo ready && exec cat"


@pytest.mark.tier("root")
def test_a_process_with_a_dev_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the kernel's own /proc, from outside of the process's mount namespace."""
    monkeypatch.setattr(device_nodes, "has_nodes", lambda _: True)
    command = ["unshare", "--mount", "sh", "-c", CONTAINER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        bench = Bench(DeviceNodes)
        while not bench.host.node_use.boottime_ns:
            bench.run()
        users = {user.pid: user.nodes for user in bench.host.node_use.users}
        assert users[process.pid] == ("/dev/nvidia0",)
        process.kill()


def test_a_process_of_this_machine(tmp_path: Path, monkeypatch) -> None:
    """No node of a GPU is here, so that another file stands for one."""
    monkeypatch.setattr(device_nodes, "has_nodes", lambda _: True)
    monkeypatch.setattr(device_nodes, "is_node", lambda target: target == str(tmp_path / "node"))
    with (tmp_path / "node").open("w"):
        bench = Bench(DeviceNodes)
        while not bench.host.node_use.boottime_ns:
            bench.run()
    assert [(user.pid, user.nodes) for user in bench.host.node_use.users] == [(os.getpid(), (str(tmp_path / "node"),))]
