# SPDX-License-Identifier: MIT
"""The daemon itself: its build, its cost, and how its collectors fare.

Runs on the daemon's own loop, not on a lane, so that it tells of every lane that hangs.
"""

from __future__ import annotations

import os
import platform
import resource
import time

from hwinfod._version import VERSION
from hwinfod.core.check import Check
from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device
from hwinfod.core.event import Severity
from hwinfod.core.health import Health, State
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.supervisor import busy_seconds
from hwinfod.core.table import Groups
from hwinfod.sources.files import SeqFile

_PAGE_BYTES = resource.getpagesize()
_COLLECTOR = ("collector",)
_HEALTH = "the wrapper that runs every collector"

BUILD_INFO = Metric(
    name="hwinfod_build_info",
    kind=Kind.INFO,
    help="Version of this daemon and of the Python that runs it.",
    source="hwinfod/_version.py",
    labels=("version", "python"),
    level=Level.CORE,
)
CPU_SECONDS = Metric(
    name="process_cpu_seconds_total",
    kind=Kind.COUNTER,
    unit="seconds",
    help="User and system CPU time that this daemon has used.",
    source="clock_gettime(2), CLOCK_PROCESS_CPUTIME_ID",
    level=Level.CORE,
)
RESIDENT_BYTES = Metric(
    name="process_resident_memory_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Resident memory of this daemon.",
    source="/proc/self/statm, field 2",
    level=Level.CORE,
)
OPEN_FDS = Metric(
    name="process_open_fds",
    kind=Kind.GAUGE,
    help="File descriptors that this daemon has open.",
    source="/proc/self/fd",
)
MAX_FDS = Metric(
    name="process_max_fds",
    kind=Kind.GAUGE,
    help="File descriptors that this daemon may have open.",
    source="getrlimit(2), RLIMIT_NOFILE",
)
THREADS = Metric(name="process_threads", kind=Kind.GAUGE, help="Threads of this daemon.", source="/proc/self/task")
START_SECONDS = Metric(
    name="process_start_time_seconds",
    kind=Kind.GAUGE,
    unit="timestamp_seconds",
    help="When this daemon started, in seconds since 1970.",
    source="the wall clock at start",
)
RING_BYTES = Metric(
    name="hwinfod_ring_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Memory that the recorded history takes.",
    source="the ring",
)
RING_OLDEST = Metric(
    name="hwinfod_ring_oldest_timestamp_seconds",
    kind=Kind.GAUGE,
    unit="timestamp_seconds",
    help="When the oldest recorded sample was taken, in seconds since 1970.",
    source="the ring",
    level=Level.DETAILED,
)
SERIES = Metric(
    name="hwinfod_series",
    kind=Kind.GAUGE,
    help="Series alive in tables and history.",
    source="the series index",
    level=Level.DETAILED,
)
SERIES_DROPPED = Metric(
    name="hwinfod_series_dropped_total",
    kind=Kind.COUNTER,
    help="Series that were left out because a budget was spent.",
    source="the series index",
)
EVENTS = Metric(
    name="hwinfod_events_total",
    kind=Kind.COUNTER,
    help="Events noted since the start.",
    source="the event log",
    level=Level.DETAILED,
)
CONFIG_OK = Metric(
    name="hwinfod_config_last_reload_successful",
    kind=Kind.GAUGE,
    help="Whether the last reload of the configuration was taken (1) or refused (0).",
    source="SIGHUP",
)
CONFIG_REFUSED = Check(
    name="config_refused",
    metric=CONFIG_OK,
    wrong=lambda taken: not taken,
    severity=Severity.WARNING,
    text="the last reload of the configuration was refused, the old one is in force",
    remedy="hwinfod --check-config; mend what it names, then systemctl reload hwinfod",
)
CONFIG_UNKNOWN = Metric(
    name="hwinfod_config_unknown_keys",
    kind=Kind.GAUGE,
    help="Keys in the configuration that this version does not know.",
    source="the configuration files",
)
TEXTFILE_ERRORS = Metric(
    name="hwinfod_textfile_write_errors_total",
    kind=Kind.COUNTER,
    help="Writes of the textfile that failed.",
    source="the textfile writer",
)
HTTP_REQUESTS = Metric(
    name="hwinfod_http_requests_total",
    kind=Kind.COUNTER,
    help="Requests answered on all listeners.",
    source="the HTTP server",
    level=Level.DETAILED,
)
HTTP_CONNECTIONS = Metric(
    name="hwinfod_http_connections",
    kind=Kind.GAUGE,
    help="Connections open on all listeners.",
    source="the HTTP server",
    level=Level.DETAILED,
)
SUCCESS = Metric(
    name="hwinfod_collector_success",
    kind=Kind.GAUGE,
    help="Whether the collector's last run worked (1) or failed (0); absent where the host has no such hardware.",
    source=_HEALTH,
    labels=_COLLECTOR,
    level=Level.CORE,
)
STUCK = Metric(
    name="hwinfod_collector_stuck",
    kind=Kind.GAUGE,
    help="Whether a call of this collector has not returned for three intervals.",
    source=_HEALTH,
    labels=_COLLECTOR,
    level=Level.CORE,
)
STUCK_SECONDS = Metric(
    name="hwinfod_collector_stuck_seconds",
    kind=Kind.GAUGE,
    unit="seconds",
    help="For how long a call of this collector has not returned, and which; there while the collector is stuck.",
    source=_HEALTH,
    labels=(*_COLLECTOR, "call"),
    level=Level.CORE,
)
DURATION = Metric(
    name="hwinfod_collector_duration_seconds",
    kind=Kind.GAUGE,
    unit="seconds",
    help="How long the collector's last run took.",
    source=_HEALTH,
    labels=_COLLECTOR,
)
COLLECTOR_CPU = Metric(
    name="hwinfod_collector_cpu_seconds_total",
    kind=Kind.COUNTER,
    unit="seconds",
    help="CPU time that the collector's runs have used.",
    source=_HEALTH,
    labels=_COLLECTOR,
    level=Level.DETAILED,
)
LAST_SUCCESS = Metric(
    name="hwinfod_collector_last_success_timestamp_seconds",
    kind=Kind.GAUGE,
    unit="timestamp_seconds",
    help="When the collector last finished a sample, in seconds since 1970.",
    source=_HEALTH,
    labels=_COLLECTOR,
)
OVERRUNS = Metric(
    name="hwinfod_collector_overruns_total",
    kind=Kind.COUNTER,
    help="Ticks that were skipped because the one before took too long.",
    source=_HEALTH,
    labels=_COLLECTOR,
)
FAILURES = Metric(
    name="hwinfod_collector_failures_total",
    kind=Kind.COUNTER,
    help="Runs of the collector that failed.",
    source=_HEALTH,
    labels=_COLLECTOR,
    level=Level.DETAILED,
)
SKIPPED = Metric(
    name="hwinfod_collector_skipped",
    kind=Kind.GAUGE,
    help="Devices or files that the collector's last run could not read and left out.",
    source=_HEALTH,
    labels=_COLLECTOR,
    level=Level.DETAILED,
)
STATE = Metric(
    name="hwinfod_collector_state",
    kind=Kind.STATE,
    help="What the collector is doing.",
    source=_HEALTH,
    labels=_COLLECTOR,
    level=Level.DETAILED,
    states=tuple(state.value for state in State),
)

_OWN = (
    CPU_SECONDS, RESIDENT_BYTES, OPEN_FDS, MAX_FDS, THREADS, START_SECONDS, RING_BYTES, RING_OLDEST, SERIES,
    SERIES_DROPPED, EVENTS, CONFIG_OK, CONFIG_UNKNOWN, TEXTFILE_ERRORS, HTTP_REQUESTS, HTTP_CONNECTIONS,
)  # fmt: skip
_PER_COLLECTOR = (SUCCESS, STUCK, DURATION, COLLECTOR_CPU, LAST_SUCCESS, OVERRUNS, FAILURES, SKIPPED, STATE)
_STATES = {state: number for number, state in enumerate(State)}
_STARTED_WALL_SECONDS = round(time.time(), 3)


class Daemon(Collector):
    name = "daemon"
    summary = "the daemon's own cost and health"
    lane = "daemon"

    def open(self) -> None:
        self.statm = SeqFile("/proc/self/statm")
        self.own = self.table.bind(_OWN)
        self.collectors = Groups(self.table, lambda name: [(metric, (name,)) for metric in _PER_COLLECTOR])
        self.stuck = Groups(self.table, lambda key: [(STUCK_SECONDS, tuple(key.split("\0")))])
        self.host.devices.reconcile(
            self.name,
            [
                Device(
                    id="hwinfod",
                    kind="daemon",
                    name="hwinfod",
                    facts={"version": VERSION, "python": platform.python_version()},
                    info=BUILD_INFO,
                )
            ],
        )

    @beat(seconds=10)
    def sample(self) -> None:
        host = self.host
        oldest = host.ring.oldest_wall_ns()
        self.own.set(
            (
                round(time.process_time(), 3),
                int(self.statm.read().split()[1]) * _PAGE_BYTES,
                len(os.listdir("/proc/self/fd")),
                resource.getrlimit(resource.RLIMIT_NOFILE)[0],
                len(os.listdir("/proc/self/task")),
                _STARTED_WALL_SECONDS,
                host.ring.size_bytes(),
                None if oldest is None else oldest // 1_000_000 / 1000,
                len(host.series),
                host.series.dropped,
                host.events.version,
                int(host.own.config_reload_successful),
                host.own.config_unknown_keys,
                host.own.textfile_write_errors,
                host.own.http_requests,
                host.own.http_connections,
            )
        )
        for name, runner in host.runners.items():
            self.collectors.set(name, _health_row(runner.health))
            if runner.health.stuck:
                age = busy_seconds(runner, host.clock.monotonic())
                self.stuck.set(f"{name}\0{runner.health.step}", [round(age, 1)])
        self.collectors.sweep()
        self.stuck.sweep()


def _health_row(health: Health) -> tuple[int | float | None, ...]:
    """What there is to tell of a collector; of one whose hardware is not here only that, unless it hangs there."""
    if health.state is State.ABSENT and not health.stuck:
        return (*(None for _ in _PER_COLLECTOR[:-1]), _STATES[health.state])
    last = health.last_success_wall_ns
    return (
        {State.OK: 1, State.FAILING: 0}.get(health.state),
        int(health.stuck),
        health.duration_seconds,
        health.cpu_seconds,
        None if last is None else last // 1_000_000_000,
        health.overruns,
        health.failures,
        len(health.skipped),
        _STATES[health.state],
    )
