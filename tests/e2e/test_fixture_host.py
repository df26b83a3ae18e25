# SPDX-License-Identifier: MIT
"""The real daemon process on a fixture host: it starts, tells what is there, survives what is done to it, ends."""

from __future__ import annotations

import signal

import psutil
import pytest

from tests.fixtures.host import Host
from tests.support.daemon import Daemon
from tests.support.exposition import OPENMETRICS, TEXT, lint
from tests.support.hung_mount import HungMount
from tests.support.peers import Prometheus

DETAILED = "/metrics?level=detailed"


def test_it_starts_tells_and_ends(host: Host) -> None:
    with Daemon.start(host=host) as daemon:
        assert daemon.get("/v1").json()["name"] == "hwinfod"
        daemon.wait_samples(1)
        read = daemon.scrape(DETAILED)
        assert read.value("hw_cpu_threads") == 128
        ticks = host.cpu.cores[127].ticks
        assert read.value("hw_cpu_core_seconds_total", cpu="127", mode="idle") == ticks[3] / 100
        assert read.value("hw_memory_limit_bytes") == 2 * host.shape.node_memory_kib * 1024
        assert daemon.stop() == 0


def test_both_formats_carry_the_same_samples(host: Host) -> None:
    """Between two scrapes a lane may bring its first values: then once more."""
    with Daemon.start(host=host) as daemon:

        def are_equal() -> bool:
            text, openmetrics = (daemon.scrape(DETAILED, accept=accept) for accept in (TEXT, OPENMETRICS))
            return len(text.samples) > 1500 and text.samples.keys() == openmetrics.samples.keys()

        daemon.wait_until(are_equal, "equal samples in both formats")


def test_a_minimal_host_is_a_normal_host(minimal_host: Host) -> None:
    with Daemon.start(host=minimal_host) as daemon:
        daemon.wait_samples(1)
        read = daemon.scrape(DETAILED)
        assert read.value("hw_cpu_threads") == 1
        failing = [labels for labels, value in read.series("hwinfod_collector_failures_total").items() if value]
        assert failing == []


def test_it_follows_the_host(host: Host) -> None:
    with Daemon.start(host=host) as daemon:
        daemon.wait_samples(1)
        idle = {"cpu": "3", "mode": "idle"}
        before = daemon.scrape(DETAILED).value("hw_cpu_core_seconds_total", **idle)
        host.advance(100.0)
        daemon.wait_until(
            lambda: daemon.scrape(DETAILED).value("hw_cpu_core_seconds_total", **idle) > before, "the new sample"
        )


@pytest.mark.tier("prometheus")
def test_promtool_and_prometheus_take_it(host: Host) -> None:
    with Daemon.start("--export.level=detailed", host=host) as daemon:
        daemon.wait_samples(1)
        assert lint(daemon.get_tcp("/metrics").body) == []
        with Prometheus.start(daemon.tcp_address) as prometheus:
            assert prometheus.wait_for("hw_cpu_threads") != []
            assert prometheus.target()["health"] == "up"
            ((_, value),) = prometheus.query("count(hw_cpu_core_frequency_hertz)")
            assert value == 128


@pytest.mark.tier("fuse")
def test_a_hung_mount_costs_only_its_lane(host: Host) -> None:
    with Daemon.start(host=host) as daemon, HungMount.over(f"{host.rootfs}/data/0") as hung:
        hung.wait_for_caller()
        mount = {"mountpoint": "/data/0"}

        def is_told() -> bool:
            hung_series = daemon.scrape(DETAILED).series("hw_filesystem_hung")
            return any(value == 1 and mount.items() <= dict(labels).items() for labels, value in hung_series.items())

        daemon.wait_until(is_told, "hw_filesystem_hung")
        assert hung.callers == 1
        assert daemon.get("/v1/status").status == 200


@pytest.mark.tier("fuse")
def test_a_stop_does_not_wait_for_a_thread_in_d_state(host: Host) -> None:
    """The process may stay until the kernel lets the thread go; it serves nobody and locks nothing meanwhile."""
    with Daemon.start(host=host) as daemon, HungMount.over(f"{host.rootfs}/data/0") as hung:
        hung.wait_for_caller()
        address = daemon.tcp_address
        daemon.send(signal.SIGTERM)
        daemon.wait_until(lambda: daemon.notified.has("STOPPING", "1"), "STOPPING")
        daemon.wait_until(lambda: address[1] not in _listening(daemon.pid), "closed listeners")
        hung.release()
        assert daemon.process.wait(60) == 0


def _listening(pid: int) -> set[int]:
    connections = psutil.Process(pid).net_connections("tcp")
    return {connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN}
