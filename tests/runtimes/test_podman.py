# SPDX-License-Identifier: MIT
"""Real Podman, by the service that speaks Docker's API: its containers live without it."""

from __future__ import annotations

import pytest

from hwinfod.owners.runtimes.collector import EngineContainers
from tests.support import oci_image
from tests.support.container_runtimes import Podman
from tests.support.watched_runtime import watch

pytestmark = pytest.mark.tier("runtimes")


def test_a_life(podman: Podman) -> None:
    with watch(EngineContainers, podman.root) as watched:
        identifier = podman.start_container("web", "/bin/sleep", "600")
        watched.until(lambda: watched.life("web") == ["created", "started"])
        watched.until(lambda: watched.containers()["web"].pid)
        found = watched.containers()["web"]
        assert (found.name.container_id, found.name.image, found.runtime) == (identifier, oci_image.NAME, "podman")
        assert found.pid is not None
        assert watched.owner_of(found.pid).label == "podman web"
        podman.podman("rm", "--force", "--time=0", "web")
        watched.until(lambda: "deleted" in watched.life("web"))
        assert watched.life("web") == ["created", "started", "exited", "deleted"]
        assert watched.events("web")[2].attributes["exit_code"] == "137"


def test_how_containers_end(podman: Podman) -> None:
    with watch(EngineContainers, podman.root) as watched:
        podman.start_container("fails", "/bin/sh", "-c", "exit 7")
        podman.start_container("eats", "/bin/tail", "/dev/zero", options=("--memory", "16m"))
        watched.until(lambda: "exited" in watched.life("fails") and "exited" in watched.life("eats"))
        assert watched.events("fails")[2].attributes["exit_code"] == "7"
        was_seen = podman.podman("inspect", "--format", "{{.State.OOMKilled}}", "eats").strip() == "true"
        killed = ["out of memory"] if was_seen else []  # conmon does not see it on hybrid cgroups
        assert watched.life("eats") == ["created", "started", *killed, "exited"]
        assert watched.events("eats")[-1].attributes["exit_code"] == "137"
    podman.podman("rm", "fails", "eats")


def test_the_service_restarts_and_what_happened_is_told(podman: Podman) -> None:
    for name in ("stays", "ends"):
        podman.start_container(name, "/bin/sleep", "600")
    with watch(EngineContainers, podman.root) as watched:
        podman.stop()
        watched.until(lambda: not watched.is_up)
        podman.podman("rm", "--force", "--time=0", "ends")
        podman.start_container("new", "/bin/sleep", "600")
        podman.start()
        watched.until(lambda: watched.is_up and watched.life("new"))
        assert watched.lives() == {"ends": ["exited", "deleted"], "new": ["created", "started"]}
        assert watched.containers()["stays"].state == "running"
    podman.podman("rm", "--force", "--time=0", "stays", "new")
