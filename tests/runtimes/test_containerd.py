# SPDX-License-Identifier: MIT
"""Real containerd and runc: what their containers are called, how they live and die, and what they were given."""

from __future__ import annotations

import pytest

from hwinfod.core.event import Severity
from hwinfod.owners.runtimes.collector import ContainerdContainers
from tests.support import oci_image
from tests.support.container_runtimes import Containerd
from tests.support.watched_runtime import watch

pytestmark = pytest.mark.tier("runtimes")

ID = "ab" * 32  # as every client but ctr gives them


def test_a_container_that_fails(containerd: Containerd) -> None:
    with watch(ContainerdContainers, containerd.root) as watched:
        containerd.start_container("fails", "/bin/sh", "-c", "exit 7", options=("--device", "/dev/null"))
        watched.until(lambda: "exited" in watched.life("fails"))
        containerd.remove("fails")
        watched.until(lambda: "deleted" in watched.life("fails"))
        assert watched.life("fails") == ["created", "started", "exited", "deleted"]
        exited = watched.events("fails")[2]
        assert exited.attributes == {
            "runtime": "containerd", "container_id": "fails", "container": "fails", "image": oci_image.NAME,
            "device_nodes": "/dev/null", "exit_code": "7",
        }  # fmt: skip


def test_a_container_that_runs_out_of_memory(containerd: Containerd) -> None:
    with watch(ContainerdContainers, containerd.root) as watched:
        containerd.start_container("eats", "/bin/tail", "/dev/zero", options=("--memory-limit", str(16 << 20)))
        watched.until(lambda: "exited" in watched.life("eats"))
        assert watched.life("eats") == ["created", "started", "out of memory", "exited"]
        killed, exited = watched.events("eats")[2:]
        assert (killed.severity, exited.attributes["exit_code"]) == (Severity.WARNING, "137")
        containerd.remove("eats")


def test_a_process_in_a_container_has_the_containers_name_and_its_death_the_device(containerd: Containerd) -> None:
    with watch(ContainerdContainers, containerd.root) as watched:
        containerd.start_container(ID, "/bin/sleep", "600", options=("--label", "nerdctl/name=trainer"))
        watched.until(lambda: watched.life("trainer") == ["created", "started"])
        watched.until(lambda: watched.containers()["trainer"].pid)
        pid = watched.containers()["trainer"].pid
        assert pid is not None
        owner = watched.owner_of(pid)
        assert (owner.label, owner.identity["container_id"]) == ("containerd trainer", ID)
        containerd.remove(ID)
        watched.until(lambda: "deleted" in watched.life("trainer"))
        exited = watched.events("trainer")[2]
        assert (exited.owner, exited.device, exited.attributes["devices"]) == (owner.id, "GPU-1", "GPU-1")
        assert (exited.attributes["exit_code"], exited.severity) == ("137", Severity.INFO)  # somebody ended it


def test_containerd_restarts_and_its_containers_do_not(containerd: Containerd) -> None:
    for name in ("stays", "ends"):
        containerd.start_container(name, "/bin/sleep", "600")
    with watch(ContainerdContainers, containerd.root) as watched:
        assert {name: each.state for name, each in watched.containers().items()} == {
            "stays": "running",
            "ends": "running",
        }
        before = watched.containers()["stays"]
        containerd.stop()
        watched.until(lambda: not watched.is_up)
        assert watched.containers()["stays"] == before
        containerd.start()
        watched.until(lambda: watched.is_up)
        assert watched.lives() == {}
        containerd.remove("ends")
        containerd.start_container("new", "/bin/sleep", "600")
        watched.until(lambda: "started" in watched.life("new") and "deleted" in watched.life("ends"))
        assert watched.lives() == {"ends": ["exited", "deleted"], "new": ["created", "started"]}
        assert watched.containers()["stays"] == before
    for name in ("stays", "new"):
        containerd.remove(name)


def test_what_happened_while_containerd_was_not_heard_is_told_once(containerd: Containerd) -> None:
    containerd.start_container("quiet", "/bin/sleep", "600")
    with watch(ContainerdContainers, containerd.root) as watched:
        moved = containerd.socket.with_name("elsewhere")
        containerd.stop()
        watched.until(lambda: not watched.is_up)
        containerd.start()
        containerd.socket.rename(moved)  # containerd serves on, and nobody finds it
        containerd.run("ctr", "--address", str(moved), "task", "kill", "--signal", "SIGKILL", "quiet")
        containerd.run("ctr", "--address", str(moved), "run", "--detach", "--snapshotter", "native", oci_image.NAME,
                       "unheard", "/bin/sleep", "600")  # fmt: skip
        moved.rename(containerd.socket)
        watched.until(lambda: watched.is_up and watched.life("unheard"))
        assert watched.lives() == {"quiet": ["exited"], "unheard": ["created", "started"]}
    for name in ("quiet", "unheard"):
        containerd.remove(name)
