# SPDX-License-Identifier: MIT
"""The daemon itself beside a real containerd: what a client of its socket sees of a container's life."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.container_runtimes import Containerd
from tests.support.daemon import Daemon

pytestmark = pytest.mark.tier("runtimes")


def events(daemon: Daemon) -> list[dict[str, Any]]:
    found = daemon.get("/v1/events").json()["events"]
    return [event for event in found if event["kind"].startswith("container ")]


def test_a_containers_life_at_the_daemons_socket(containerd: Containerd) -> None:
    with Daemon.start(f"--path.rootfs={containerd.root}", "--export.level=detailed") as daemon:
        _until(lambda: f'hwinfod_runtime_up{{collector="containerd",socket="{containerd.path}"}} 1' in _metrics(daemon))
        containerd.start_container("fails", "/bin/sh", "-c", "exit 7")
        _until(lambda: any(event["kind"] == "container exited" for event in events(daemon)))
        told = {event["kind"]: event for event in events(daemon)}
        assert list(told) == ["container created", "container started", "container exited"]
        exited = told["container exited"]
        assert (exited["owner"], exited["attributes"]["exit_code"]) == ("container:containerd:fails", "7")
        containerd.remove("fails")
        _until(lambda: any(event["kind"] == "container deleted" for event in events(daemon)))


def _metrics(daemon: Daemon) -> str:
    return daemon.get("/metrics").text


def _until(reached: Any) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.1)
