# SPDX-License-Identifier: MIT
"""The catalog and what was measured: /v1/metrics, /v1/samples and /v1/series."""

from __future__ import annotations

from typing import TypedDict

from hwinfod.wire import WireValue


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
