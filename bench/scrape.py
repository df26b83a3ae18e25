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
_PAIRS = 30
_LONG_ROUNDS = 4
_SECONDS = 20  # of a long round, in which both are scraped once a second: beats of up to 15 s come in each
_PLAIN, _DETAILED = "/metrics", "/metrics?level=detailed"
_GZIP = {"Accept-Encoding": "gzip", "Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}


def measure() -> list[Line]:
    return [*_this_host(), *_equal_series()]


def _this_host() -> list[Line]:
    with Daemon.start() as ours, NodeExporter.start() as theirs:
        our_client, their_client = Client(ours.tcp_address), Client(("127.0.0.1", theirs.tcp_ports()[0]))
        counts = f"{_series(our_client, _PLAIN)} series against {_series(their_client, _PLAIN)}"
        repeated, theirs_each = [], []
        for _ in range(_ROUNDS):
            repeated.append(_repeated(ours.pid, our_client))
            theirs_each.append(_repeated(theirs.pid, their_client))
        first, theirs_alone = [], []
        for _ in range(_PAIRS):
            first.append(_alone(ours.pid, our_client, 0.4))
            theirs_alone.append(_alone(theirs.pid, their_client, 0.7))
    first_of_many = f"median of ours against {median(theirs_each) * 1e3:.2f} ms, one of {_SCRAPES} in a row of theirs"
    return [
        Line("node_exporter, one scrape of many", median(theirs_each) * 1e3, "ms", note=f"CPU; {counts}"),
        ratio_line("repeated scrape / node_exporter", repeated, theirs_each, 1 / 50, counts),
        Line("node_exporter, one scrape a second", median(theirs_alone) * 1e3, "ms", note=f"CPU; {counts}"),
        ratio_line("first scrape of a sample, gzip / node_exporter", first, theirs_alone, 1 / 8, counts),
        Line("first scrape of a sample, gzip", median(first) / median(theirs_each), "x", note=first_of_many),
    ]


def _equal_series() -> list[Line]:
    """On the rich fixture host, where both have thousands: the cost of a second with one scrape in it, a series, of
    both in the same seconds."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory:
        host = Host(directory, seed=1)
        with Daemon.start(host=host) as ours, NodeExporter.start(host=host) as theirs:
            our_client, their_client = Client(ours.tcp_address), Client(("127.0.0.1", theirs.tcp_ports()[0]))
            series = _series(our_client, _DETAILED), _series(their_client, _PLAIN)
            ours_each, theirs_each = [], []
            time.sleep(_SECONDS)  # until lanes that are quick share a thread
            for _ in range(_LONG_ROUNDS):
                before = cpu_seconds(ours.pid), cpu_seconds(theirs.pid)
                for _ in range(_SECONDS):
                    _wait_until(0.4)
                    our_client.ask(_DETAILED, headers=_GZIP)
                    _wait_until(0.7)
                    their_client.ask(_PLAIN, headers=_GZIP)
                _wait_until(0.9)
                ours_each.append((cpu_seconds(ours.pid) - before[0]) / _SECONDS / series[0])
                theirs_each.append((cpu_seconds(theirs.pid) - before[1]) / _SECONDS / series[1])
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


def _alone(pid: int, client: Client, place: float) -> float:
    """CPU of the one scrape in a second, at this place in it: as Prometheus asks, with caches that others have used
    since. Ours comes after a tick, and is rendered and compressed anew."""
    _wait_until(place)
    before = cpu_seconds(pid)
    client.ask(_PLAIN, headers=_GZIP)
    return cpu_seconds(pid) - before


def _wait_until(place: float) -> None:
    """The next time when a second is this far gone."""
    time.sleep((place - time.time()) % 1.0)
