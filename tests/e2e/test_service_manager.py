# SPDX-License-Identifier: MIT
"""What the real daemon says to systemd and takes from it: notifications, watchdog, sockets, journal priorities."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.host import Host
from tests.support.daemon import Daemon, make_directory
from tests.support.hung_mount import HungMount
from tests.support.unix_http import get

# Become the daemon as systemd starts it: $JOURNAL_STREAM names what standard error is; sockets stand from 3 on, and
# $LISTEN_PID is the daemon's own.
_WITH_JOURNAL = """
import os, sys
status = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
os.execv(sys.argv[1], sys.argv[1:])
"""
_WITH_SOCKETS = """
import fcntl, os, sys
given = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1].split(",")]
for number, fd in enumerate(given):
    os.dup2(fd, 3 + number)
    os.close(fd)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    directory = make_directory("systemd")
    yield directory
    shutil.rmtree(directory)


def test_it_tells_how_it_fares(minimal_host: Host) -> None:
    with Daemon.start(host=minimal_host, WATCHDOG_USEC="2000000") as daemon:
        assert "collectors sampling" in daemon.notified.all("STATUS")[0]
        daemon.wait_until(lambda: len(daemon.notified.all("WATCHDOG")) >= 2, "WATCHDOG")
        assert daemon.stop() == 0
        assert daemon.notified.all("STOPPING") == ["1"]
        assert daemon.notified.all("READY") == ["1"]
        assert "STOPPING" in daemon.notified.messages[-1], "nothing is said after the farewell"


@pytest.mark.tier("fuse")
def test_the_watchdog_starves_when_the_loop_hangs_and_only_then(minimal_host: Host, directory: Path) -> None:
    """The loop reads the configuration at SIGHUP, here from a file system that hangs. That the process lives shows
    in the textfile: its thread goes on, and tells the rounds that pass without a keep-alive."""
    config = directory / "hwinfod.toml"
    config.write_text("[textfile]\ninterval_seconds = 1\n")
    written = directory / "hwinfod.prom"
    flags = (f"--config={config}", f"--textfile.directory={directory}")
    with Daemon.start(*flags, host=minimal_host, WATCHDOG_USEC="2000000") as daemon:
        daemon.wait_until(lambda: daemon.notified.has("WATCHDOG"), "WATCHDOG")
        with HungMount.over(config) as hung:
            daemon.send(signal.SIGHUP)
            hung.wait_for_caller()
            daemon.notified.forget()
            for _ in range(3):
                inode = written.stat().st_ino
                daemon.wait_until(lambda before=inode: written.stat().st_ino != before, "new textfile")  # type: ignore[misc]
            assert not daemon.notified.has("WATCHDOG")
            hung.release()
            daemon.wait_until(lambda: daemon.notified.has("WATCHDOG"), "WATCHDOG after the hang")
            assert daemon.notified.has("READY")


def test_it_takes_both_listeners_and_leaves_them_to_a_successor(minimal_host: Host, directory: Path) -> None:
    path = str(directory / "activated.sock")
    with socket.socket(socket.AF_UNIX) as api, socket.create_server(("127.0.0.1", 0)) as metrics:
        api.bind(path)
        api.listen()
        fds = (api.fileno(), metrics.fileno())
        wrapper = (sys.executable, "-c", _WITH_SOCKETS, ",".join(map(str, fds)))
        environ = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "api:metrics"}
        for _ in range(2):
            with Daemon.start(
                host=minimal_host, tcp=False, wrapper=wrapper, pass_fds=fds, **environ
            ) as daemon:  # fmt: skip
                assert get(path, "/v1").json()["name"] == "hwinfod"
                assert get(metrics.getsockname(), "/metrics").status == 200
                assert not os.path.exists(daemon.socket), "it was given one, and opens no other"
                assert daemon.stop() == 0
            assert os.path.exists(path), "the socket is systemd's"


def test_a_socket_that_is_not_expected_is_refused(minimal_host: Host, directory: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(str(directory / "datagrams"))
        wrapper = (sys.executable, "-c", _WITH_SOCKETS, str(datagrams.fileno()))
        environ = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "api"}
        flags = {"wrapper": wrapper, "pass_fds": (datagrams.fileno(),)}
        with Daemon.start(host=minimal_host, tcp=False, ready=False, **flags, **environ) as daemon:  # type: ignore[arg-type]
            assert daemon.process.wait(60) == 1
            assert "systemd handed over a socket that is not expected: api: not a listening" in daemon.output()
            assert "Traceback" not in daemon.output()


def test_the_journal_gets_priorities_and_a_file_gets_times(minimal_host: Host) -> None:
    with Daemon.start(host=minimal_host, wrapper=(sys.executable, "-c", _WITH_JOURNAL)) as daemon:
        daemon.wait_until(lambda: "collectors sampling" in daemon.output(), "first lines")
        lines = daemon.output().splitlines()
        assert [line for line in lines if not line.startswith("<6>")] == []
    with Daemon.start(host=minimal_host, JOURNAL_STREAM="1:2") as daemon:
        daemon.wait_until(lambda: "collectors sampling" in daemon.output(), "first lines")
        assert "<6>" not in daemon.output()
