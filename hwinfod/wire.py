# SPDX-License-Identifier: MIT
"""The JSON of the API, as types: what the daemon writes and hwinfoctl reads. docs/openapi.yaml says the same in
OpenAPI and is held against this by a test.

Times are seconds since 1970 (floats), durations seconds. A value is a number; a decimal string where an integer
is beyond 2^53, which JSON readers would round; "NaN", "Infinity" or "-Infinity"; or null, which is absent.
"""

from __future__ import annotations

from typing import TypedDict, Union

API_VERSION = "v1"
FEATURES = (
    "status",
    "devices",
    "metrics",
    "samples",
    "series",
    "events",
    "stream",
    "collectors",
    "config",
    "inventory",
    "rdma",
    "gpus",
    "topology",
    "owners",
    "containers",
    "holders",
)

WireValue = Union[int, float, str, None]  # noqa: UP007  an alias is evaluated, and 3.10 runs it too


class Index(TypedDict):
    """GET /v1: clients ask for a feature by name, never for a version."""

    name: str
    version: str
    api: str
    features: list[str]
    instance: str


class Problem(TypedDict):
    """Something that is wrong now. `remedy` is what to do or to type next, "" where nothing is known."""

    check: str
    severity: str
    text: str
    remedy: str
    metric: str
    labels: dict[str, str]
    value: WireValue


class CollectorState(TypedDict):
    """One collector. `state` is starting, ok, absent or failing; `busy_seconds` how long its call has lasted."""

    name: str
    summary: str
    lane: str
    state: str
    reason: str
    stuck: bool
    step: str
    busy_seconds: float
    runs: int
    failures: int
    overruns: int
    duration_seconds: float | None
    cpu_seconds: float
    last_success_seconds: float | None
    skipped: dict[str, str]
    tables: list[TableState]


class TableState(TypedDict):
    """One table of a collector. `age_seconds` is null before the first row."""

    name: str
    interval_seconds: float
    sequence: int
    columns: int
    age_seconds: float | None
    fresh: bool


class Collectors(TypedDict):
    collectors: list[CollectorState]


class Faces(TypedDict):
    """Where metrics can be had. `textfile_trouble` is "" while writing works."""

    socket: str
    metrics_urls: list[str]
    textfile: str
    textfile_trouble: str


class Status(TypedDict):
    """GET /v1/status: what a person should learn in five seconds. `state` is ok, warning or critical; `figures`
    are headline values by metric name, summed or taken as the metric's kind wants."""

    state: str
    problems: list[Problem]
    hostname: str
    operating_system: str
    kernel: str
    version: str
    instance: str
    time_seconds: float
    uptime_seconds: float
    daemon_uptime_seconds: float
    history_seconds: float
    collectors: dict[str, int]
    faces: Faces
    viewer: str


class DeviceRecord(TypedDict):
    """A device. `status` is present, suspended, passed through or lost, since `status_since_seconds`."""

    id: str
    kind: str
    name: str
    status: str
    parent: str
    version: int
    collector: str
    facts: dict[str, str]
    first_seen_seconds: float
    status_since_seconds: float


class DeviceList(TypedDict):
    devices: list[DeviceRecord]


class Inventory(TypedDict):
    """Device ids by class: what was accepted as the baseline (null time: nothing yet), and what is here."""

    accepted_seconds: float | None
    expected: dict[str, list[str]]
    present: dict[str, list[str]]


class MetricRecord(TypedDict):
    """One metric of the catalog. `aside` has by label the values whose series are of level detailed anyway."""

    name: str
    kind: str
    unit: str
    help: str
    labels: list[str]
    states: list[str]
    level: str
    aside: dict[str, list[str]]
    source: str
    collector: str
    series: int


class MetricList(TypedDict):
    metrics: list[MetricRecord]


class Sample(TypedDict):
    """The latest value of a series. `state` expands a state metric, "" for any other."""

    metric: str
    labels: dict[str, str]
    value: WireValue
    state: str
    table: str
    time_seconds: float


class Samples(TypedDict):
    time_seconds: float
    samples: list[Sample]


class SeriesPoints(TypedDict):
    """Points of one series. Without a step [time, value]; with one [time, min, mean, max, count] of the bucket
    that ends at that time, of rates for a counter."""

    labels: dict[str, str]
    points: list[list[WireValue]]


class SeriesHistory(TypedDict):
    """GET /v1/series. `of` says what the points are: value, or rate (per second) for a counter with a step."""

    metric: str
    kind: str
    unit: str
    help: str
    of: str
    start_seconds: float
    end_seconds: float
    step_seconds: float
    series: list[SeriesPoints]


class EventRecord(TypedDict):
    id: int
    version: int
    kind: str
    severity: str
    text: str
    device: str
    owner: str
    attributes: dict[str, str]
    count: int
    first_seconds: float
    last_seconds: float


class Events(TypedDict):
    """`version` is what to ask for next: ?since=VERSION gives what is new or was counted up."""

    version: int
    events: list[EventRecord]


class SettingRecord(TypedDict):
    key: str
    value: object
    origin: str


class Config(TypedDict):
    settings: list[SettingRecord]
    files: list[str]
    warnings: list[str]


class RdmaCount(TypedDict):
    """A counter since it began (boot, or the driver's reset), and its increase in the last hour, or in as much of
    it as is recorded."""

    total: WireValue
    last_hour: WireValue


class RdmaPort(TypedDict):
    """`totals` are traffic by metric name, `errors`, `retransmits` and `congestion` what went wrong by cause;
    `counters` are all counters of the port by the kernel's names."""

    id: str
    port: int
    status: str
    up: bool | None
    state: str
    physical_state: str
    rate_bytes_per_second: WireValue
    facts: dict[str, str]
    totals: dict[str, WireValue]
    link_transitions: RdmaCount
    errors: dict[str, RdmaCount]
    retransmits: dict[str, RdmaCount]
    congestion: dict[str, RdmaCount]
    counters: dict[str, WireValue]


class RdmaDevice(TypedDict):
    """`resources` are the device's objects by type: qp, cq, mr ...; `counters` those of drivers that count by
    device."""

    id: str
    name: str
    status: str
    status_since_seconds: float
    facts: dict[str, str]
    resources: dict[str, WireValue]
    counters: dict[str, WireValue]
    ports: list[RdmaPort]


class RdmaDevices(TypedDict):
    """`netns_mode` is shared, exclusive (a device may have moved into a container) or "" where the kernel does not
    say."""

    netns_mode: str
    devices: list[RdmaDevice]


class RdmaHolder(TypedDict):
    """A process, or a user within the kernel (`kernel` is its name, pid 0), and what it holds. `owner` is the pod,
    job or unit, "" while unknown; `uid` -1 where it is not known. Others than one's own are one, "another user".
    `command_line` is as in HolderProcess."""

    pid: int
    process: str
    uid: int
    owner: str
    kernel: str
    command_line: str | None
    amounts: dict[str, WireValue]
    peers: list[str]


class RdmaResources(TypedDict):
    """Who holds the objects of a device. `age_seconds` is of the last complete look at them, null before it."""

    device: str
    age_seconds: float | None
    totals: dict[str, WireValue]
    holders: list[RdmaHolder]
