# SPDX-License-Identifier: MIT
"""The daemon of itself: /v1, /v1/status, /v1/collectors and /v1/config."""

from __future__ import annotations

from typing import TypedDict

from hwinfod.wire import WireValue


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


class SettingRecord(TypedDict):
    key: str
    value: object
    origin: str


class Config(TypedDict):
    settings: list[SettingRecord]
    files: list[str]
    warnings: list[str]
