# SPDX-License-Identifier: MIT
"""The real daemon with NVIDIA's real bindings on a library that says what a test tells it: what the library says is
what every face says, unit by unit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.fixtures.host import Host
from tests.support import nvml_profiles as profiles
from tests.support.daemon import Daemon, make_directory
from tests.support.exposition import TEXT, parse
from tests.support.nvml import XID, FakeNvml
from tests.support.nvml_daemon import DETAILED, ctl, descriptors, gpu, post, running
from tests.support.nvml_profiles import GIB, uuid

pytestmark = pytest.mark.tier("compiler")


def test_what_the_library_says_is_what_metrics_say(minimal_host: Host) -> None:
    with running(minimal_host, profiles.a100()) as (daemon, fake):
        read = daemon.scrape(DETAILED)
        assert len(read.series("hw_gpu_up")) == 8
        catalog = {metric["name"]: metric for metric in daemon.get("/v1/metrics").json()["metrics"]}
        assert catalog["hw_gpu_up"]["collector"] == "nvidia", "who fills it here, of those that can"
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
        fake.event(3, XID, 79)
        daemon.wait_until(lambda: bool(daemon.scrape().series("hw_gpu_xid_errors_total")), "the Xid")
        (problem,) = daemon.get("/v1/status").json()["problems"]
        assert (problem["check"], problem["severity"]) == ("device-lost", "critical")
        assert problem["text"].startswith("gpu 3 A100-SXM4-80GB is lost since ")
        assert problem["text"].endswith(": Xid 79 (1x), an error of the hardware")
        assert problem["remedy"].startswith("hwinfoctl events; drain the node")
        shown = ctl(daemon, "gpu", "3")
        assert "LOST" in shown.splitlines()[0]
        assert "no processes" not in shown
        assert "nothing tells of processes" not in shown


VALUES = {
    "utilization_ratio": 0.41, "memory_usage_bytes": 14 * GIB, "memory_limit_bytes": 80 * GIB, "power_watts": 259.5,
    "power_enforced_limit_watts": 400, "energy_joules_total": 5000.004,
    "memory_controller_utilization_ratio": 0.12,
}  # fmt: skip


def test_every_face_says_what_the_library_says(minimal_host: Host) -> None:
    directory = make_directory("textfile")
    with running(minimal_host, profiles.a100(), f"--textfile.directory={directory}", "--textfile.interval=1s") as (
        daemon,
        _,
    ):
        daemon.wait_until((directory / "hwinfod.prom").exists, "the textfile")
        daemon.wait_until(lambda: b"hw_gpu_up" in (directory / "hwinfod.prom").read_bytes(), "GPUs in it")
        textfile = parse((directory / "hwinfod.prom").read_bytes(), TEXT)
        metrics = daemon.scrape()
        (of_api,) = [g for g in daemon.get("/v1/gpus").json()["gpus"] if g["gpu"] == "4"]
        (of_ctl,) = [g for g in json.loads(ctl(daemon, "gpus", "--json"))["gpus"] if g["gpu"] == "4"]
        one = json.loads(ctl(daemon, "gpu", "4", "--json"))
        for name, value in VALUES.items():
            assert metrics.value(f"hw_gpu_{name}", **gpu(4)) == value
            assert textfile.value(f"hw_gpu_{name}", **gpu(4)) == value
            assert of_api["values"][name] == of_ctl["values"][name] == one["values"][name] == value
        assert of_api["by_label"]["temperature_celsius"] == {"gpu": 54, "memory": 61}
        screen = ctl(daemon, "gpus").splitlines()
        shown = screen[5].split()
        assert shown[:2] + shown[3:] == ["4", "41%", "14/80", "260/400", "54", "4x16", "12", "ok"]


def test_an_xid_is_on_every_face(minimal_host: Host) -> None:
    with running(minimal_host, profiles.a100(2)) as (daemon, fake):
        fake.event(1, XID, 79)
        labels = gpu(1, xid="79") | {"class": "hardware"}
        daemon.wait_until(lambda: bool(daemon.scrape().series("hw_gpu_xid_errors_total")), "the Xid")
        assert daemon.scrape().value("hw_gpu_xid_errors_total", **labels) == 1
        (event,) = [e for e in daemon.get("/v1/events").json()["events"] if e["kind"] == "GPU error"]
        assert (event["severity"], event["device"]) == ("critical", uuid(1))
        assert "gpu_hardware_xid" in {p["check"] for p in daemon.get("/v1/status").json()["problems"]}


def test_release_closes_everything_and_resume_takes_it_back(minimal_host: Host) -> None:
    with running(minimal_host, profiles.h100(2)) as (daemon, fake):
        daemon.wait_until(lambda: descriptors(daemon, fake) == 1, "an open driver")
        hold = json.loads(ctl(daemon, "gpu", "release", "--for", "10m", "--json"))
        assert (hold["released"], hold["holding"], hold["reason"]) == (True, [], "asked for")
        assert 500 < hold["remaining_seconds"] <= 600
        assert descriptors(daemon, fake) == 0
        daemon.wait_until(lambda: daemon.scrape().value("hwinfod_gpu_released") == 1, "the metric")
        assert daemon.scrape().series("hw_gpu_up") == {}
        assert "released" in ctl(daemon, "gpus").splitlines()[0]
        ctl(daemon, "gpu", "resume")
        daemon.wait_until(lambda: len(daemon.scrape().series("hw_gpu_up")) == 2, "the GPUs")
        assert descriptors(daemon, fake) == 1


def test_a_pending_mode_makes_the_daemon_let_go(minimal_host: Host) -> None:
    with running(minimal_host, profiles.a100(2), "--collector.nvidia.facts-interval=1s") as (daemon, fake):
        fake.set("gpu.1.mig.pending", 1)
        daemon.wait_until(lambda: descriptors(daemon, fake) == 0, "letting go")
        hold = daemon.get("/v1/gpus").json()["hold"]
        assert hold["reason"] == "a change of the MIG mode of GPU 1 is pending"


def upgrade(daemon: Daemon, fake: FakeNvml) -> None:
    """A package does it while the daemon has let go, as it must for the module to be replaced."""
    post(daemon, "/v1/gpus/release")
    fake.install("580.65.06")
    fake.update({"kernel_version": "580.65.06", "driver_version": "580.65.06"})
    post(daemon, "/v1/gpus/resume")

    def versions() -> set[str]:
        return {dict(labels)["driver_version"] for labels in daemon.scrape().series("hw_gpu_info")}

    daemon.wait_until(lambda: versions() == {"580.65.06"}, "the new driver")
    daemon.wait_until(lambda: len(daemon.scrape().series("hw_gpu_up")) == 2, "the GPUs")


def test_a_driver_upgraded_under_us_is_survived(minimal_host: Host) -> None:
    with running(minimal_host, profiles.a100(2)) as (daemon, fake):
        upgrade(daemon, fake)


def test_the_library_is_found_where_the_loader_looks(minimal_host: Host) -> None:
    """The default place; an upgraded one is mapped by its own name, because the loader hands the old one out again."""
    root = Path(minimal_host.rootfs)
    (Path(minimal_host.procfs) / "driver/nvidia").mkdir(parents=True)
    fake = FakeNvml(root.parent, profiles.a100(2))
    environ = {**fake.environ, "LD_LIBRARY_PATH": str(fake.place)}
    with Daemon.start("--collector.nvidia.facts-interval=1s", host=minimal_host, **environ) as daemon:
        daemon.wait_until(lambda: len(daemon.scrape().series("hw_gpu_up")) == 2, "the GPUs")
        maps = Path(f"/proc/{daemon.pid}/maps")
        assert str(fake.place / "libnvidia-ml.so.570.124.06") in maps.read_text()
        upgrade(daemon, fake)
        assert str(fake.place / "libnvidia-ml.so.580.65.06") in maps.read_text()


def test_processes_and_mig(minimal_host: Host) -> None:
    state = profiles.h100(3)
    with running(minimal_host, state, "--collector.nvidia.processes-interval=1s") as (daemon, fake):
        fake.processes(0, "compute", [(os.getpid(), 5 * GIB)])
        fake.processes(2, "compute", [(os.getpid(), GIB)], mig=2)

        def seen() -> bool:
            return len(daemon.get("/v1/gpus/all/processes").json()["processes"]) == 2

        daemon.wait_until(seen, "the processes")
        first, second = daemon.get("/v1/gpus/all/processes").json()["processes"]
        assert (first["gpu"], first["pid"], first["amounts"]["memory_bytes"]) == ("0", os.getpid(), 5 * GIB)
        assert second["amounts"] == {"memory_bytes": GIB, "partition_2_memory_bytes": GIB}
        assert str(os.getpid()) in ctl(daemon, "ps")
        (cut,) = [g for g in daemon.get("/v1/gpus").json()["gpus"] if g["gpu"] == "2"]
        assert [part["facts"]["profile"] for part in cut["partitions"]] == ["3g.40gb", "1g.10gb"]
        fake.update({key.replace("mig.2", "mig.4"): value for key, value in fake.state.items() if "gpu.2.mig.2" in key})
        fake.set("gpu.2.mig.4.uuid", "MIG-new")
        daemon.wait_until(lambda: daemon.get("/v1/devices/MIG-new").status == 200, "the new instance")


@pytest.mark.parametrize("profile", ["geforce", "gb10"])
def test_boards_that_lack_half_are_no_trouble(minimal_host: Host, profile: str) -> None:
    with running(minimal_host, getattr(profiles, profile)()) as (daemon, _):
        read = daemon.scrape(DETAILED)
        assert read.value("hw_gpu_up", **gpu(0)) == 1
        failures = {
            dict(labels)["collector"]: v for labels, v in read.series("hwinfod_collector_failures_total").items()
        }
        assert failures["nvidia"] == failures["nvidia_events"] == 0
        assert "WARNING" not in daemon.output()


def test_a_host_without_nvidia_has_one_quiet_line(minimal_host: Host) -> None:
    with Daemon.start(host=minimal_host) as daemon:
        daemon.wait_samples(1)
        said = [line for line in daemon.output().splitlines() if "nvidia" in line.lower()]
        assert len(said) == 1
        assert said[0].endswith("nvidia: not on this host: no NVIDIA driver and no NVIDIA GPU")
        assert "pynvml" not in (Path("/proc") / str(daemon.pid) / "maps").read_text()
