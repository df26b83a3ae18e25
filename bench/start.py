# SPDX-License-Identifier: MIT
"""From exec to READY=1; from SIGTERM to the end; and how long hwinfoctl takes for an answer."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from statistics import median

from bench.cost import cpu_seconds
from bench.report import Line
from tests.support.daemon import Daemon
from tests.support.processes import run

_STARTS = 7
_STOPS = 3
_CLIENTS = 1000


def measure() -> list[Line]:
    wall, cpu = [], []
    for _ in range(_STARTS):
        begun = time.monotonic()
        with Daemon.start() as daemon:
            wall.append(time.monotonic() - begun)
            cpu.append(cpu_seconds(daemon.pid))
    return [
        _line("start to READY", wall, 500, f"aim 300; {median(cpu) * 1e3:.0f} ms of CPU"),
        _stop(),
        _hwinfoctl(),
    ]


def _stop() -> Line:
    """With as many clients as were asked for, idle, most of which wait to be accepted or were refused."""
    taken = []
    for _ in range(_STOPS):
        with Daemon.start() as daemon, contextlib.ExitStack() as clients:
            for _ in range(_CLIENTS):
                clients.enter_context(socket.create_connection(daemon.tcp_address))
            begun = time.monotonic()
            daemon.stop()
            taken.append(time.monotonic() - begun)
    return _line(f"SIGTERM to the end, {_CLIENTS:,} clients", taken, 2000)


def _hwinfoctl() -> Line:
    with Daemon.start() as daemon:
        command = [sys.executable, "-m", "hwinfod.ctl", "--socket", daemon.socket, "api", "GET", "/v1"]
        taken = []
        for _ in range(_STARTS):
            begun = time.monotonic()
            run(*command)
            taken.append(time.monotonic() - begun)
    return _line("hwinfoctl, from start to end", taken, 100)


def _line(what: str, seconds: list[float], target_ms: float, note: str = "") -> Line:
    spread = f"{min(seconds) * 1e3:.0f}..{max(seconds) * 1e3:.0f}"
    return Line(what, median(seconds) * 1e3, "ms", target_ms, spread, note)
