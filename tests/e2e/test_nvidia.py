# SPDX-License-Identifier: MIT
"""The real daemon with NVIDIA's real bindings on a library that says what a test tells it: what the library says is
what every face says, unit by unit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.fixtures.host import Host
from tests.support import nvml_profiles as profiles
from tests.support.daemon import Daemon
from tests.support.nvml import FakeNvml
from tests.support.nvml_machine import PLACE
from tests.support.nvml_profiles import GIB, uuid

pytestmark = pytest.mark.tier("compiler")

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
        daemon.wait_until(lambda: daemon.scrape(DETAILED).series("hw_gpu_up") != {}, "GPUs")
        yield daemon, fake


def gpu(number: int, **labels: str) -> dict[str, str]:
    return {"gpu": str(number), "uuid": uuid(number), **labels}


def test_what_the_library_says_is_what_metrics_say(minimal_host: Host) -> None:
    with running(minimal_host, profiles.a100()) as (daemon, fake):
        read = daemon.scrape(DETAILED)
        assert len(read.series("hw_gpu_up")) == 8
        for number in range(8):
            assert read.value("hw_gpu_up", **gpu(number)) == 1
            assert read.value("hw_gpu_utilization_ratio", **gpu(number)) == (37 + number) / 100
            assert read.value("hw_gpu_memory_usage_bytes", **gpu(number)) == (10 + number) * GIB
            assert read.value("hw_gpu_power_watts", **gpu(number)) == 255.5 + number
            assert read.value("hw_gpu_temperature_celsius", **gpu(number, sensor="gpu")) == 50 + number
            assert read.value("hw_gpu_energy_joules_total", **gpu(number)) == 5000 + number / 1000
            assert read.value("hw_gpu_clock_hertz", **gpu(number, clock="sm")) == 1.41e9
        fake.set("gpu.3.temperature.0", 77)
        daemon.wait_until(
            lambda: daemon.scrape(DETAILED).value("hw_gpu_temperature_celsius", **gpu(3, sensor="gpu")) == 77,
            "the new temperature",
        )


def test_a_lost_gpu_costs_that_gpu(minimal_host: Host) -> None:
    with running(minimal_host, profiles.a100()) as (daemon, fake):
        fake.lose(3)
        daemon.wait_until(lambda: daemon.scrape().value("hw_gpu_up", **gpu(3)) == 0, "the loss")
        read = daemon.scrape()
        assert sum(read.series("hw_gpu_up").values()) == 7
        assert read.value("hw_gpu_utilization_ratio", **gpu(7)) == 0.44
        assert daemon.get(f"/v1/devices/{uuid(3)}").json()["status"] == "lost"
        problems = daemon.get("/v1/status").json()["problems"]
        assert [p["severity"] for p in problems if p["check"] == "gpu_down"] == ["critical"]
