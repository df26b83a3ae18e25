# SPDX-License-Identifier: MIT
"""A reader that hangs for ever, or gets garbage, or finds nothing where something was: what else it costs."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.fixtures.host import Fault, Host
from tests.support.daemon import Daemon
from tests.support.hung_mount import HungMount

_SENSOR = "sys/class/hwmon/hwmon0/temp1_input"
_QUICK = ("--collector.sensors.interval=200ms", "--collector.daemon.interval=200ms")


@pytest.mark.tier("fuse")
def test_a_lane_that_hangs_is_told_and_costs_nothing_else(host: Host) -> None:
    with Daemon.start(*_QUICK, host=host, WATCHDOG_USEC="2000000") as daemon:
        series, stuck = "hw_temperature_celsius", {"collector": "sensors"}
        daemon.wait_until(lambda: bool(daemon.scrape().series(series)), "temperatures")
        with HungMount.over(host.tree.path(_SENSOR)) as hung:
            hung.wait_for_caller()
            daemon.wait_until(lambda: not daemon.scrape().series(series), "end of the series")
            daemon.wait_until(lambda: daemon.scrape().value("hwinfod_collector_stuck", **stuck) == 1, "stuck")
            ready = daemon.get_tcp("/readyz")
            assert ready.status == 200, "a node in trouble stays visible"
            assert "sensors: hangs in " in ready.text
            status = daemon.get("/v1/status").json()
            assert status["state"] == "critical"
            assert [p["text"][:24] for p in status["problems"] if p["check"] == "collector-stuck"] == [
                "collector sensors hangs "
            ]
            daemon.notified.forget()
            daemon.wait_more_samples("cpu", 3)
            daemon.wait_until(lambda: daemon.notified.has("WATCHDOG"), "WATCHDOG")
            assert hung.callers == 1, "nobody else was sent after the first"
            others = {labels for labels, v in daemon.scrape().series("hwinfod_collector_stuck").items() if v}
            assert others == {frozenset(stuck.items())}
            hung.release()
            daemon.wait_until(lambda: daemon.scrape().value("hwinfod_collector_stuck", **stuck) == 0, "recovery")
        daemon.wait_until(lambda: bool(daemon.scrape().series(series)), "temperatures again")
        kinds = [event["kind"] for event in daemon.get("/v1/events").json()["events"]]
        assert {"collector stuck", "collector recovered"} <= set(kinds)
        assert "sensors" not in daemon.get_tcp("/readyz").text
        assert "Traceback" not in daemon.output()


def threads_of(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.pid}/task"))


@pytest.mark.tier("fuse")
def test_lanes_that_share_a_thread_go_on_without_the_one_that_hangs(host: Host) -> None:
    with Daemon.start(*_QUICK, host=host) as daemon:
        at_first = threads_of(daemon)
        daemon.wait_until(lambda: threads_of(daemon) <= at_first - 2, "lanes on one thread")
        daemon.wait_more_samples("sensors", 5)
        with HungMount.over(host.tree.path(_SENSOR)) as hung:
            hung.wait_for_caller()
            for name in ("cpu", "memory", "network", "disks"):
                daemon.wait_more_samples(name, 2)
            assert hung.callers == 1
            assert daemon.collectors()["sensors"]["busy_seconds"] > 0
            hung.release()
        daemon.wait_more_samples("sensors", 5)
        assert "Traceback" not in daemon.output()


def files_of(host: Host) -> list[str]:
    """A file of each kind that the collectors read again and again."""
    return [
        "proc/stat", "proc/loadavg", "proc/meminfo", "proc/vmstat", "proc/diskstats", "proc/net/dev",
        "proc/pressure/cpu", "proc/self/mountinfo", "sys/devices/system/node/node0/meminfo",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "sys/class/powercap/intel-rapl:0/energy_uj",
        "sys/devices/system/edac/mc/mc0/ce_count", _SENSOR,
    ]  # fmt: skip


def test_files_break_under_a_running_daemon(host: Host) -> None:
    """One after the other, while the host moves, until all of them are broken at once; then each is broken in
    another way. Nothing else fails, nothing is traced back, and what is mended works again."""
    faults = [Fault.GARBAGE, Fault.MISSING, Fault.FIFO, Fault.DIRECTORY, Fault.TRUNCATED]
    with Daemon.start(*_QUICK, host=host) as daemon:
        daemon.wait_more_samples("cpu", 2)
        paths = [path for path in files_of(host) if exists(host, path)]
        assert len(paths) >= 10
        for turn in range(len(faults)):
            for number, path in enumerate(paths):
                if turn:
                    host.mend(path)
                host.plant(path, faults[(number + turn) % len(faults)])
            host.advance(1.0)
            daemon.wait_more_samples("clock", 1)
        states = daemon.collectors()
        assert not [name for name, state in states.items() if state["stuck"]]
        assert states["clock"]["state"] == states["daemon"]["state"] == "ok"
        assert daemon.get_tcp("/readyz").status == 200
        daemon.scrape("/metrics?level=detailed")
        for path in paths:
            host.mend(path)
        host.advance(1.0)
        daemon.wait_until(lambda: are_fine(daemon, ("cpu", "load", "memory", "disks", "sensors")), "recovery")
        assert "Traceback" not in daemon.output()


def exists(host: Host, path: str) -> bool:
    try:
        with open(host.tree.path(path), "rb"):
            return True
    except OSError:
        return False


def are_fine(daemon: Daemon, names: tuple[str, ...]) -> bool:
    states = daemon.collectors()
    return all(states[name]["state"] == "ok" and states[name]["tables"][0]["fresh"] for name in names)


def test_devices_leave_between_listing_and_reading(host: Host) -> None:
    """Drives, chips and interfaces come and go as fast as the fixture can."""
    actions: list[Callable[[str], None]] = [host.unplug, host.plug]
    with Daemon.start(*_QUICK, "--collector.disks.interval=100ms", host=host) as daemon:
        daemon.wait_more_samples("disks", 2)
        runs = daemon.collectors()["disks"]["runs"]
        while daemon.collectors()["disks"]["runs"] < runs + 20:
            for act in actions:
                for name in ("nvme3", "nvme4", "eno1"):
                    act(name)
        daemon.wait_until(lambda: are_fine(daemon, ("disks", "sensors", "cpu")), "calm")
        assert "Traceback" not in daemon.output()
