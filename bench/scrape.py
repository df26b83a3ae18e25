# SPDX-License-Identifier: MIT
"""What a scrape costs, against Debian's node_exporter with its defaults on the same host in the same seconds."""

from __future__ import annotations

import tempfile
import time
from statistics import median

from bench.cost import IN_MEMORY, cpu_seconds
from bench.report import Line, ratio_line
from tests.fixtures.host import Host
from tests.support.daemon import Daemon
from tests.support.peers import NodeExporter
from tests.support.unix_http import Client

_ROUNDS = 7
_SCRAPES = 40
_PLAIN, _DETAILED = "/metrics", "/metrics?level=detailed"
_GZIP = {"Accept-Encoding": "gzip", "Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}


def measure() -> list[Line]:
    return [*_this_host(), *_equal_series()]


def _this_host() -> list[Line]:
    first, repeated, theirs_each = [], [], []
    with Daemon.start() as ours, NodeExporter.start() as theirs:
        our_client, their_client = Client(ours.tcp_address), Client(("127.0.0.1", theirs.tcp_ports()[0]))
        counts = f"{_series(our_client, _PLAIN)} series against {_series(their_client, _PLAIN)}"
        for _ in range(_ROUNDS):
            first.append(_first_of_a_sample(ours.pid, our_client))
            repeated.append(_repeated(ours.pid, our_client))
            theirs_each.append(_repeated(theirs.pid, their_client))
    return [
        Line("node_exporter, one scrape", median(theirs_each) * 1e3, "ms", note=f"CPU; {counts}"),
        ratio_line("repeated scrape / node_exporter", repeated, theirs_each, 1 / 50, counts),
        ratio_line("first scrape of a sample, gzip / node_exporter", first, theirs_each, 1 / 8, counts),
    ]


def _equal_series() -> list[Line]:
    """On the rich fixture host, where both have thousands: the cost of a second with one scrape in it, a series."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory:
        host = Host(directory, seed=1)
        with Daemon.start(host=host) as ours, NodeExporter.start(host=host) as theirs:
            our_client, their_client = Client(ours.tcp_address), Client(("127.0.0.1", theirs.tcp_ports()[0]))
            series = _series(our_client, _DETAILED), _series(their_client, _PLAIN)
            ours_each, theirs_each = [], []
            for _ in range(_ROUNDS):
                ours_each.append(_a_second(ours.pid, our_client, _DETAILED) / series[0])
                theirs_each.append(_a_second(theirs.pid, their_client, _PLAIN) / series[1])
    note = f"fixture host, {series[0]} series against {series[1]}"
    return [ratio_line("sampling and a scrape, a series / node_exporter", ours_each, theirs_each, 1 / 4, note)]


def _series(client: Client, path: str) -> int:
    return sum(1 for line in client.ask(path).text.splitlines() if line and not line.startswith("#"))


def _repeated(pid: int, client: Client) -> float:
    """CPU of one of many scrapes in a row. Ours samples meanwhile, which counts against us."""
    client.ask(_PLAIN, headers=_GZIP)
    before = cpu_seconds(pid)
    for _ in range(_SCRAPES):
        client.ask(_PLAIN, headers=_GZIP)
    return (cpu_seconds(pid) - before) / _SCRAPES


def _first_of_a_sample(pid: int, client: Client) -> float:
    """CPU of the first scrape after a tick: rendered and compressed anew."""
    time.sleep(1.4 - time.time() % 1.0)
    before = cpu_seconds(pid)
    client.ask(_PLAIN, headers=_GZIP)
    return cpu_seconds(pid) - before


def _a_second(pid: int, client: Client, path: str) -> float:
    """CPU of three seconds with three scrapes in them, sampling included, for one."""
    time.sleep(1.5 - time.time() % 1.0)
    before = cpu_seconds(pid)
    for _ in range(3):
        time.sleep(1.4 - time.time() % 1.0 if time.time() % 1.0 > 0.4 else 0.4 - time.time() % 1.0)
        client.ask(path, headers=_GZIP)
    time.sleep(0.1)
    return (cpu_seconds(pid) - before) / 3
