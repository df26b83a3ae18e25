# SPDX-License-Identifier: MIT
"""One call of NVML that does not return, as in a driver in D state: it costs its lane, and nothing else."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.fixtures.host import Host
from tests.support import nvml_profiles as profiles
from tests.support.daemon import Daemon
from tests.support.nvml_daemon import DETAILED, ctl, descriptors, gpu, post, running

pytestmark = pytest.mark.tier("compiler")

CALL = "nvmlDeviceGetTemperature"
HUNG = {"nvidia", "nvidia_events"}  # NVML has one state a process: whoever else asks it may wait as well
TICKS = 6
STALE_INTERVALS = 3


def wait_stuck(daemon: Daemon) -> None:
    daemon.wait_until(lambda: bool(daemon.collectors()["nvidia"]["stuck"]), "the stuck collector")


def test_a_hung_call_costs_its_lane(minimal_host: Host) -> None:
    """Its values go, all others stay; the release says what it waits for; the daemon ends all the same."""
    with running(minimal_host, profiles.a100(2)) as (daemon, fake):
        fake.hang("nvmlDeviceGetTemperature", 1)
        daemon.wait_until(
            lambda: daemon.scrape().value("hwinfod_collector_stuck", collector="nvidia") == 1, "the stuck collector"
        )
        daemon.wait_until(lambda: daemon.scrape().series("hw_gpu_power_watts") == {}, "values to be withheld")
        assert daemon.scrape().value("hwinfod_collector_stuck", collector="cpu") == 0
        status, problem = post(daemon, "/v1/gpus/release")
        assert status == 409
        assert str(problem["detail"]).startswith("nvmlDeviceGetTemperature has been in flight for ")
        fake.mend()
        daemon.wait_until(lambda: descriptors(daemon, fake) == 0, "letting go")
        post(daemon, "/v1/gpus/resume")
        daemon.wait_until(lambda: len(daemon.scrape().series("hw_gpu_power_watts")) == 2, "values again")


def test_a_stop_does_not_wait_for_a_hung_call(minimal_host: Host) -> None:
    with running(minimal_host, profiles.a100(2)) as (daemon, fake):
        fake.hang("nvmlDeviceGetTemperature", 1)
        daemon.wait_until(
            lambda: daemon.scrape().value("hwinfod_collector_stuck", collector="nvidia") == 1, "the stuck collector"
        )
        assert daemon.stop() == 0


def sequences(daemon: Daemon) -> dict[str, int]:
    """How many samples each table of each collector that works has had, those apart that ask the driver."""
    states = [state for state in daemon.collectors().values() if state["state"] == "ok" and state["name"] not in HUNG]
    tables = [table for state in states for table in state["tables"] if table["interval_seconds"] <= 1]
    return {table["name"]: table["sequence"] for table in tables}


def test_the_call_and_its_age_are_told(minimal_host: Host) -> None:
    with running(minimal_host, profiles.a100(2), "--collector.daemon.interval=1s") as (daemon, fake):
        fake.hang(CALL, 1)
        wait_stuck(daemon)
        state = daemon.collectors()["nvidia"]
        assert state["step"] == CALL
        assert state["busy_seconds"] > STALE_INTERVALS
        (problem,) = [p for p in daemon.get("/v1/status").json()["problems"] if p["check"] == "collector-stuck"]
        assert problem["text"].startswith(f"collector nvidia hangs in {CALL} for ")
        assert "reboot" in problem["remedy"]
        named = frozenset({("collector", "nvidia"), ("call", CALL)})
        daemon.wait_until(lambda: named in daemon.scrape().series("hwinfod_collector_stuck_seconds"), "the call")
        ages = daemon.scrape().series("hwinfod_collector_stuck_seconds")
        assert ages[named] >= STALE_INTERVALS  # it is more, and told in tenths
        fake.mend()
        daemon.wait_until(lambda: daemon.scrape().series("hwinfod_collector_stuck_seconds") == {}, "the end of it")


def test_all_others_go_on_meanwhile(minimal_host: Host) -> None:
    """By what the ring has: each collector that works has its ticks all the while, and one that is missing is one that
    its own lane came too late for, which a busy machine may do to it."""
    with running(minimal_host, profiles.a100(2)) as (daemon, fake):
        fake.hang(CALL, 1)
        wait_stuck(daemon)
        hung = daemon.collectors()["nvidia"]["tables"][0]["sequence"]
        before = sequences(daemon)
        assert {"cpu", "memory", "network", "disks"} & set(before)
        for name, sequence in before.items():
            daemon.wait_until(
                lambda name=name, sequence=sequence: sequences(daemon).get(name, 0) >= sequence + TICKS,
                f"{TICKS} samples of {name}",
            )
        assert daemon.collectors()["nvidia"]["tables"][0]["sequence"] == hung
        (series,) = daemon.get("/v1/series?name=hw_memory_available_bytes").json()["series"]
        times = [time for time, _ in series["points"]]
        gaps = [round(after - before) for before, after in pairwise(times)]
        assert len(gaps) >= TICKS
        assert sum(gap - 1 for gap in gaps) <= daemon.collectors()["memory"]["overruns"]
        assert daemon.scrape(DETAILED).series("hw_gpu_power_watts") == {}
        daemon.wait_until(lambda: daemon.scrape(DETAILED).series("hw_memory_available_bytes") != {}, "fresh values")
        assert daemon.get("/v1/gpus").json()["gpus"][0]["values"].get("power_watts") is None
        screen = ctl(daemon, "gpus").splitlines()
        assert screen[0] == "values are withheld: hwinfoctl status says why"
        assert [line.split()[-2:] for line in screen[2:]] == [["no", "values"]] * 2
        fake.mend()
        daemon.wait_until(lambda: daemon.scrape().series("hw_gpu_power_watts") != {}, "values again")
        assert daemon.scrape().value("hw_gpu_up", **gpu(1)) == 1
