# SPDX-License-Identifier: MIT
"""SIGHUP: a new configuration is taken whole, or the old one stays in force whole."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.host import Host
from tests.support.daemon import Daemon, make_directory
from tests.support.held_log import HeldLog
from tests.support.hung_mount import HungMount

_OWN_INTERVAL = "[collector.daemon]\ninterval_seconds = 0.2\n"
_GOOD = '[export]\nlevel = "detailed"\n' + _OWN_INTERVAL
# What would take effect if a broken file were taken in part.
_CHANGES = '[export]\nlevel = "core"\n[collector.load]\nenabled = false\n' + _OWN_INTERVAL


def _text(text: str | bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(text if isinstance(text, bytes) else text.encode()) and None


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


# What is done to the file, and what the log says of it.
BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "no TOML": (_text(_CHANGES + "interval = = 1\n"), ":7: is not valid TOML"),
    "half written": (_text(_CHANGES[:-9]), "is not valid TOML"),
    "empty": (_text(""), "is empty"),
    "not UTF-8": (_text(_CHANGES.encode() + b"# \xff\xfe\n"), "is not UTF-8"),
    "a key twice": (_text('[export]\nlevel = "core"\nlevel = "core"\n'), "is not valid TOML"),
    "a value that is none of the known": (_text(_CHANGES + '[api]\nprivacy = "mine"\n'), "api.privacy"),
    "a text for a number": (_text(_CHANGES + '[collector.cpu]\ninterval_seconds = "soon"\n'), "collector.cpu.interval"),
    "out of range": (_text(_CHANGES + "[collector.cpu]\ninterval_seconds = 0\n"), "collector.cpu.interval_seconds"),
    "a value for a section": (_text("collector = 1\n"), "expected a section"),
    "two mistakes": (_text('log_level = "loud"\n[textfile]\nlevel = 1\n'), "textfile.level"),
    "too large": (_text(_CHANGES + "# " + "x" * (1 << 20)), "is larger than 1 MiB"),
    "missing": (Path.unlink, "cannot be read: No such file"),
    "a FIFO": (_fifo, "is not a regular file"),
    "a directory": (_directory, "is not a regular file"),
}


@pytest.fixture
def config() -> Iterator[Path]:
    directory = make_directory("config")
    path = directory / "hwinfod.toml"
    path.write_text(_GOOD)
    yield path
    shutil.rmtree(directory)


def reload(daemon: Daemon, path: Path, content: str | None = None) -> None:
    """SIGHUP, and RELOADING with a time that is now, then READY."""
    if content is not None:
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_text(content)
    daemon.notified.forget()
    before = time.monotonic_ns() // 1000
    daemon.send(signal.SIGHUP)
    daemon.wait_until(lambda: daemon.notified.has("READY"), "READY after SIGHUP")
    first, second = (m for m in daemon.notified.messages if "RELOADING" in m or "READY" in m)
    assert (first["RELOADING"], second["READY"]) == ("1", "1")
    assert before <= int(first["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000


def in_force(daemon: Daemon) -> tuple[Any, list[str]]:
    """The settings, and the collectors that are there."""
    return daemon.get("/v1/config").json()["settings"], sorted(daemon.collectors())


def wait_success(daemon: Daemon, value: float) -> None:
    name = "hwinfod_config_last_reload_successful"
    daemon.wait_until(lambda: daemon.scrape().value(name) == value, f"{name} {value:.0f}")


def test_a_broken_configuration_changes_nothing(minimal_host: Host, config: Path) -> None:
    with Daemon.start(f"--config={config}", host=minimal_host) as daemon:
        daemon.wait_samples(1)
        before = in_force(daemon)
        for name, (do, said) in BROKEN.items():
            reload(daemon, config, _GOOD)
            wait_success(daemon, 1)
            do(config)
            seen = len(daemon.output())
            reload(daemon, config)
            wait_success(daemon, 0)
            assert in_force(daemon) == before, name
            line, *_ = (line for line in daemon.output()[seen:].splitlines() if "ERROR" in line)
            assert str(config) in line, name
            assert said in daemon.output()[seen:], name
            assert "config_refused" in {each["check"] for each in daemon.get("/v1/status").json()["problems"]}, name
        events = daemon.get("/v1/events").json()["events"]
        refused = [event["text"] for event in events if event["kind"] == "configuration refused"]
        for name, (_, said) in BROKEN.items():
            assert any(said in text for text in refused), f"{name}: each mistake, however soon after another"
        reload(daemon, config, _GOOD)
        wait_success(daemon, 1)
        assert "config_refused" not in {each["check"] for each in daemon.get("/v1/status").json()["problems"]}
        assert "Traceback" not in daemon.output()


def test_a_good_one_takes_effect(minimal_host: Host, config: Path) -> None:
    first, second = config.parent / "first", config.parent / "second"
    first.mkdir()
    second.mkdir()
    textfile = '[textfile]\ninterval_seconds = 1\ndirectory = "{}"\n'
    with Daemon.start(f"--config={config}", host=minimal_host) as daemon:
        daemon.wait_samples(1)
        detailed = len(daemon.scrape().samples)
        assert "load" in daemon.collectors()
        reload(daemon, config, _CHANGES + textfile.format(first) + "[collector.cpu]\ninterval_seconds = 0.5\n")
        assert "load" not in daemon.collectors()
        assert "hw_load1" not in daemon.scrape("/metrics?level=detailed").families
        daemon.wait_more_samples("cpu", 2)
        assert 0 < len(daemon.scrape().samples) < detailed
        (table, *_) = daemon.collectors()["cpu"]["tables"]
        assert table["interval_seconds"] == 0.5
        daemon.wait_until((first / "hwinfod.prom").exists, "textfile")
        reload(daemon, config, _GOOD + textfile.format(second))
        daemon.wait_until((second / "hwinfod.prom").exists, "textfile in its new place")
        assert not (first / "hwinfod.prom").exists()
        daemon.wait_until(lambda: daemon.collectors()["load"]["state"] == "ok", "the collector that is back")
        reload(daemon, config, _GOOD)
        daemon.wait_until(lambda: not (second / "hwinfod.prom").exists(), "end of the textfile")


def test_what_takes_a_restart_is_said(minimal_host: Host, config: Path) -> None:
    with Daemon.start(f"--config={config}", host=minimal_host) as daemon:
        reload(daemon, config, _GOOD + '[ring]\nduration = "2h"\n')
        daemon.wait_until(lambda: "ring.duration changed, but takes a restart" in daemon.output(), "warning")
        (ring,) = (s for s in daemon.get("/v1/config").json()["settings"] if s["key"] == "ring.duration")
        assert ring["value"] == "1h"


def test_a_hundred_during_one_reload_are_one_more(minimal_host: Host, config: Path) -> None:
    """Each signal is delivered on its own, while the daemon is held in the reload of the first: in a line that it
    logs. What makes them one is the daemon, which then takes the last configuration."""
    with (
        HeldLog.open() as log,
        Daemon.start(f"--config={config}", host=minimal_host, wrapper=log.wrapper, pass_fds=log.fds) as daemon,
    ):
        daemon.wait_samples(1)
        daemon.notified.forget()
        log.hold()
        daemon.send(signal.SIGHUP)
        daemon.wait_until(lambda: daemon.notified.has("RELOADING"), "RELOADING")
        for number in range(100):
            config.write_text(_GOOD + f"[collector.load]\ninterval_seconds = {number + 1}\n")
            daemon.send(signal.SIGHUP)
            daemon.wait_until(lambda: not has_pending_hangup(daemon.pid), "the signal to arrive")
        assert not daemon.notified.has("READY")
        daemon.wait_until(lambda: log.text().count("configuration reloaded") == 2, "the second reload")
        assert daemon.collectors()["load"]["tables"][0]["interval_seconds"] == 100
        daemon.wait_until(lambda: len(daemon.notified.all("READY")) >= 2, "READY")
        assert len(daemon.notified.all("RELOADING")) == 2
        assert log.text().count("configuration reloaded") == 2


def has_pending_hangup(pid: int) -> bool:
    """SigPnd and ShdPnd of /proc/PID/status: proc(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask >> (signal.SIGHUP - 1) & 1 for mask in masks)


@pytest.mark.tier("fuse")
def test_a_collector_that_hangs_does_not_hold_it(host: Host, config: Path) -> None:
    """It stays in sight while it hangs, whatever the new settings say of it, and takes them when it is back."""
    sensor = host.tree.path("sys/class/hwmon/hwmon0/temp1_input")
    config.write_text(_GOOD + "[collector.sensors]\ninterval_seconds = 0.2\n")
    with Daemon.start(f"--config={config}", host=host) as daemon, HungMount.over(sensor) as hung:
        hung.wait_for_caller()
        daemon.wait_until(lambda: daemon.collectors()["sensors"]["stuck"], "stuck")
        settings = "[collector.sensors]\ninterval_seconds = 0.5\n[collector.load]\nenabled = false\n"
        reload(daemon, config, _GOOD + settings)
        assert "load" not in daemon.collectors()
        daemon.wait_more_samples("cpu", 2)
        assert daemon.collectors()["sensors"]["stuck"]
        assert hung.callers == 1
        hung.release()
        daemon.wait_until(lambda: not daemon.collectors()["sensors"]["stuck"], "recovery")

        def is_taken() -> bool:
            sensors = daemon.collectors()["sensors"]
            return sensors["state"] == "ok" and sensors["tables"][0]["interval_seconds"] == 0.5

        daemon.wait_until(is_taken, "the new interval")
