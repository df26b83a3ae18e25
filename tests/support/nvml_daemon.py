# SPDX-License-Identifier: MIT
"""A daemon on a host with NVIDIA's driver, whose library says what a test tells it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.fixtures.host import Host
from tests.support.daemon import Daemon
from tests.support.nvml import FakeNvml
from tests.support.nvml_machine import PLACE
from tests.support.nvml_profiles import uuid
from tests.support.processes import run
from tests.support.unix_http import Client

DETAILED = "/metrics?level=detailed"


@contextlib.contextmanager
def running(
    host: Host, state: Mapping[str, object], *flags: str, without: Sequence[str] = ()
) -> Iterator[tuple[Daemon, FakeNvml]]:
    """A daemon on a host with the GPU operator's driver container, and the library in it."""
    root = Path(host.rootfs)
    (Path(host.procfs) / "driver/nvidia").mkdir(parents=True)
    fake = FakeNvml(root.parent, state, place=root / PLACE.lstrip("/"), without=without)
    roots = f"--nvidia.library-roots={PLACE}"
    with Daemon.start(roots, *flags, host=host, **fake.environ) as daemon:
        daemon.wait_samples(1, "nvidia")
        daemon.wait_until(lambda: daemon.scrape(DETAILED).series("hw_gpu_up") != {}, "GPUs")
        yield daemon, fake


def gpu(number: int, **labels: str) -> dict[str, str]:
    return {"gpu": str(number), "uuid": uuid(number), **labels}


def post(daemon: Daemon, path: str) -> tuple[int, dict[str, object]]:
    with contextlib.closing(Client(daemon.socket)) as client:
        reply = client.ask(path, method="POST")
        return reply.status, reply.json()


def ctl(daemon: Daemon, *arguments: str) -> str:
    done = run(sys.executable, "-m", "hwinfod.ctl", f"--socket={daemon.socket}", *arguments)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def descriptors(daemon: Daemon, fake: FakeNvml) -> int:
    """How many the daemon has of the driver's device node."""
    directory = f"/proc/{daemon.pid}/fd"
    places = []
    for name in os.listdir(directory):
        with contextlib.suppress(OSError):
            places.append(os.readlink(f"{directory}/{name}"))
    return places.count(str(fake.device))
