# SPDX-License-Identifier: MIT
"""The companion as an operator types it, beside a real daemon on the rich host."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.fixtures.host import Host
from tests.support.daemon import Daemon
from tests.support.processes import PATIENCE_SECONDS, clean_environ

# What is typed, something of this host that it must show, and a key of the document behind it.
COMMANDS = [
    ("status", "RDMA  2/2 up", "problems"),
    ("status", "psi cpu 0 memory 0 io 0", "collectors"),
    ("show cpu", "hw_cpu_threads         128", "samples"),
    ("show disks", "nvme19n1", "samples"),
    ("devices", "Intel(R) Xeon(R) Platinum 8462Y+", "devices"),
    ("metrics hw_network_*", 'hw_network_receive_bytes_total{interface="eno1"}', "samples"),
    ("history hw_memory_available_bytes --since 1m", "hw_memory_available_bytes", "series"),
    ("explain hw_memory_available_bytes", "/proc/meminfo, MemAvailable", "source"),
    ("explain hw_temperature_celsius", "standard; detailed for chip drivetemp, nvme", "aside"),
    ("events", "hwinfod 0.1.0 started", "events"),
    ("collectors", "amdgpu is not loaded", "collectors"),
    ("inventory", "no inventory was accepted: hwinfoctl inventory accept", "present"),
    ("gpus", "PASSED THROUGH", "gpus"),
    ("ps", "nothing tells of processes on GPUs here", "processes"),
    ("rdma", "mlx5_1/1  active  400 Gb/s", "devices"),
    ("rdma mlx5_0", "400 Gb/s", "holders"),
    ("owners", "nobody in sight holds anything", "owners"),
    ("holders", "", "holders"),
    ("topo", "nvme0n1 to nvme9n1    10 drives", "links"),
    ("api GET /v1", '"name":"hwinfod"', "features"),
]
MISTAKES = [
    ("frobnicate", 2, "invalid choice"),
    ("explain hw_memory_availible_bytes", 2, "hw_memory_available_bytes"),
    ("show cpus", 2, "known: "),
    ("api GET /v2", 1, "/v1/status"),
    ("api DELETE /v1/status", 1, "it takes GET, HEAD"),
    ("gpu 99", 1, "hwinfoctl gpus"),
    ("devices none", 1, "hwinfoctl devices"),
    ("status --watch nan", 2, "no number of seconds"),
    ("--socket /nonexistent/hwinfod.sock status", 3, "/nonexistent/hwinfod.sock"),
]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    host = Host(str(tmp_path_factory.mktemp("host")), seed=1)
    with Daemon.start("--export.level=detailed", host=host) as daemon:
        daemon.wait_samples(1)
        daemon.wait_samples(2, "pressure")
        daemon.wait_until(lambda: len(_history(daemon)) > 1, "a second sample")
        yield daemon


def _history(daemon: Daemon) -> list[object]:
    now = time.time()
    document = daemon.get(f"/v1/series?name=hw_memory_available_bytes&start={now - 60}&end={now}").json()
    return [point for series in document["series"] for point in series["points"] if point is not None]


def ctl(daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hwinfod.ctl", *words],
        capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
        env=clean_environ(HWINFOD_SOCKET=daemon.socket, COLUMNS="120"),
    )  # fmt: skip


@pytest.mark.parametrize(("typed", "shown", "key"), COMMANDS, ids=[typed for typed, _, _ in COMMANDS])
def test_every_command_shows_the_host(daemon: Daemon, typed: str, shown: str, key: str) -> None:
    done = ctl(daemon, *typed.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert shown in done.stdout
    assert "\x1b" not in done.stdout, "a pipe gets no colour"
    document = ctl(daemon, "--json", *typed.split())
    assert (document.returncode, document.stderr) == (0, "")
    assert key in json.loads(document.stdout)


@pytest.mark.parametrize(("typed", "status", "said"), MISTAKES, ids=[typed for typed, _, _ in MISTAKES])
def test_every_mistake_has_its_status_and_a_remedy(daemon: Daemon, typed: str, status: int, said: str) -> None:
    done = ctl(daemon, *typed.split())
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
