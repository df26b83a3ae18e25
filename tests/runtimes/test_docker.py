# SPDX-License-Identifier: MIT
"""Real dockerd, on a real containerd: names, life, exit codes, kills, restarts."""

from __future__ import annotations

import os

import pytest

from hwinfod.core.container import DeviceNode
from hwinfod.owners.runtimes.collector import ContainerdContainers, EngineContainers
from tests.support import oci_image
from tests.support.container_runtimes import Containerd, Docker
from tests.support.watched_runtime import watch

pytestmark = pytest.mark.tier("runtimes")


def test_a_life(docker: Docker) -> None:
    with watch(EngineContainers, docker.root) as watched:
        (docker.root / "dev").mkdir(exist_ok=True)
        (docker.root / "dev/full").unlink(missing_ok=True)
        os.mknod(docker.root / "dev/full", 0o20666, os.makedev(1, 7))
        identifier = docker.start_container("web", "/bin/sleep", "600", options=("--device", "/dev/full"))
        watched.until(lambda: watched.life("web") == ["created", "started"])
        watched.until(lambda: watched.containers()["web"].pid)
        found = watched.containers()["web"]
        assert (found.name.container_id, found.name.image, found.runtime) == (identifier, oci_image.NAME, "docker")
        assert found.device_nodes == (DeviceNode("/dev/full", 1, 7),)
        assert found.pid is not None
        owner = watched.owner_of(found.pid)
        assert owner.label == "docker web"
        docker.docker("rm", "--force", "web")
        watched.until(lambda: "deleted" in watched.life("web"))
        assert watched.life("web") == ["created", "started", "exited", "deleted"]
        exited = watched.events("web")[2]
        assert (exited.owner, exited.device, exited.attributes["exit_code"]) == (owner.id, "GPU-1", "137")
        assert exited.attributes["device_nodes"] == "/dev/full"


def test_a_container_that_runs_out_of_memory(docker: Docker) -> None:
    with watch(EngineContainers, docker.root) as watched:
        docker.start_container("eats", "/bin/tail", "/dev/zero", options=("--memory", "16m"))
        watched.until(lambda: "exited" in watched.life("eats"))
        assert watched.life("eats") == ["created", "started", "out of memory", "exited"]
        docker.docker("rm", "eats")


def test_a_container_that_is_renamed_and_started_again(docker: Docker) -> None:
    with watch(EngineContainers, docker.root) as watched:
        docker.start_container("old", "/bin/sleep", "600")
        watched.until(lambda: "started" in watched.life("old"))
        docker.docker("rename", "old", "new")
        watched.until(lambda: "new" in watched.containers())
        assert [name.container for name in watched.host.names.current["engines"].containers] == ["new"]
        docker.docker("restart", "--time", "0", "new")
        watched.until(lambda: watched.containers()["new"].state == "running" and "exited" in watched.life("new"))
        docker.docker("rm", "--force", "new")


def test_dockerd_restarts_and_its_containers_do_not(docker: Docker) -> None:
    docker.start_container("stays", "/bin/sleep", "600")
    with watch(EngineContainers, docker.root) as watched:
        before = watched.containers()["stays"]
        docker.stop()
        watched.until(lambda: not watched.is_up)
        docker.start()
        watched.until(lambda: watched.is_up)
        assert watched.lives() == {}
        assert watched.containers()["stays"].pid == before.pid
        docker.start_container("new", "/bin/false")
        watched.until(lambda: "exited" in watched.life("new"))
        assert watched.events("new")[2].attributes["exit_code"] == "1"
    docker.docker("rm", "--force", "stays", "new")


def test_containerd_leaves_dockers_containers_to_docker(docker: Docker, containerd: Containerd) -> None:
    with watch(ContainerdContainers, containerd.root) as watched:
        docker.start_container("web", "/bin/true")
        containerd.start_container("own", "/bin/true")
        watched.until(lambda: "exited" in watched.life("own"))
        assert list(watched.lives()) == ["own"]
        containerd.remove("own")
    docker.docker("rm", "--force", "web")
