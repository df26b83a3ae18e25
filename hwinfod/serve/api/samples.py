# SPDX-License-Identifier: MIT
"""/v1/samples and /v1/series: the latest values, and what they were."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING

from hwinfod.core.metric import Kind, Level
from hwinfod.core.owner import tells_owners
from hwinfod.errors import UserError
from hwinfod.serve.api.context import allow_only, labels_of, number, one, wire_value
from hwinfod.serve.http import problems
from hwinfod.serve.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hwinfod.core.codec import Value
    from hwinfod.core.host import Host
    from hwinfod.core.metric import Metric
    from hwinfod.core.ring import Points
    from hwinfod.core.series import Series
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.messages import Request, Response
    from hwinfod.serve.http.router import Router
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire import WireValue
    from hwinfod.wire.samples import Sample, Samples, SeriesHistory, SeriesPoints

_MOST_SERIES = 1000
_MOST_POINTS = 500_000


def add_routes(router: Router, api: ApiContext) -> None:
    host = api.host

    def samples(request: Request) -> Response:
        allow_only(request, ("name", "collector", "label", "level"))
        viewer = api.viewer(request)
        pattern, collector = one(request, "name", "*"), one(request, "collector")
        labels = parse_labels(request.query.get("label", []))
        level = parse_level(one(request, "level", "detailed"))
        return api.reply(request, viewer, lambda: dict(_samples(host, viewer, pattern, collector, labels, level)))

    def series(request: Request) -> Response:
        allow_only(request, ("name", "label", "start", "end", "step"))
        viewer = api.viewer(request)
        query = _Query(host, request)
        if not may_see(viewer, query.metric):
            raise Problem(problems.FORBIDDEN, "whose work it is is shown to root and the group hwinfod; see /v1/owners")
        return api.reply(request, viewer, lambda: dict(query.answer()))

    router.add("GET", "/v1/samples", samples)
    router.add("GET", "/v1/series", series)


def parse_labels(pairs: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE pairs, VALUE may be a glob. Raises UserError."""
    labels = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UserError("parameter label must be NAME=VALUE", hint="such as label=device=sda")
        labels[name] = value
    return labels


def parse_level(text: str) -> Level:
    """Raises UserError."""
    try:
        return Level.parse(text)
    except ValueError as error:
        raise UserError(f"parameter level: {error}") from None


def _matches(series: Series, labels: dict[str, str]) -> bool:
    own = labels_of(series)
    return all(name in own and fnmatchcase(own[name], value) for name, value in labels.items())


def latest(host: Host) -> Iterator[tuple[str, str, float, Series, Value]]:
    """Table, collector, wall-clock seconds, series and value of everything that is fresh and present."""
    offset = host.clock.wall_offset_ns()
    for table in host.fresh_tables():
        row = table.latest
        if row is None:
            continue
        time = round((row.boottime_ns + offset) / 1e9, 3)
        for series, value in zip(row.layout.columns, row.values):
            if series is not None and value is not None:
                yield table.name, table.collector, time, series, value


def sample_record(table: str, time: float, series: Series, value: Value) -> Sample:
    states = series.metric.states
    return {
        "metric": series.metric.name,
        "labels": labels_of(series),
        "value": wire_value(value),
        "state": states[value] if states and isinstance(value, int) and 0 <= value < len(states) else "",
        "table": table,
        "time_seconds": time,
    }


def _samples(host: Host, viewer: Viewer, pattern: str, collector: str, labels: dict[str, str], level: Level) -> Samples:
    return {
        "time_seconds": host.clock.wall_ns() / 1e9,
        "samples": [
            sample_record(table, time, series, value)
            for table, owner, time, series, value in latest(host)
            if series.level <= level
            and may_see(viewer, series.metric)
            and collector in ("", owner)
            and fnmatchcase(series.metric.name, pattern)
            and _matches(series, labels)
        ],
    }


def _hint(name: str, known: Iterable[str]) -> str:
    """What may have been meant, in the catalog's words: nothing of the request is repeated."""
    import difflib  # 5 ms that only a mistake has to pay

    near = difflib.get_close_matches(name[:100], known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else "hwinfoctl metrics; /v1/metrics"


def may_see(viewer: Viewer, metric: Metric) -> bool:
    """Series that name owners are for those who may see other people's work; /v1/owners has one's own."""
    return viewer.sees_all or not tells_owners(metric)


class _Query:
    """One question about the past. Raises UserError for a question that cannot be meant."""

    def __init__(self, host: Host, request: Request) -> None:
        now = host.clock.wall_ns() / 1e9
        self.host = host
        name = one(request, "name")
        if name not in host.catalog:
            raise UserError("no metric of this host has this name", hint=_hint(name, host.catalog))
        self.metric = host.catalog[name][0]
        self.labels = parse_labels(request.query.get("label", []))
        self.end = number(request, "end", now)
        self.start = number(request, "start", self.end - 900)
        self.step = number(request, "step", 0)
        if self.start > self.end or self.step < 0:
            raise UserError("start must not be after end, and step must not be negative")

    def answer(self) -> SeriesHistory:
        ring = self.host.ring
        found = [(s, t) for s, t in ring.find(self.metric.name).items() if _matches(s, self.labels)]
        found.sort(key=lambda pair: pair[0].labels)
        if len(found) > _MOST_SERIES:
            raise UserError(f"{len(found)} series match, at most {_MOST_SERIES} are answered", hint="add label=...")
        rates = self.metric.kind is Kind.COUNTER and self.step > 0
        series: list[SeriesPoints] = []
        points_left = _MOST_POINTS
        for item, table in found:
            points = ring.read(table, item, int(self.start * 1e9), int(self.end * 1e9))
            wire = self._points(points, rates=rates)
            points_left -= len(wire)
            if points_left < 0:
                raise UserError("too many points", hint="ask for less time, fewer labels or a step")
            series.append({"labels": labels_of(item), "points": wire})
        return {
            "metric": self.metric.name,
            "kind": self.metric.kind.value,
            "unit": self.metric.unit,
            "help": self.metric.help,
            "of": "rate" if rates else "value",
            "start_seconds": self.start,
            "end_seconds": self.end,
            "step_seconds": self.step,
            "series": series,
        }

    def _points(self, points: Points, *, rates: bool) -> list[list[WireValue]]:
        times = [time / 1e9 for time in points.wall_ns]
        if not self.step:
            return [[round(time, 3), wire_value(value)] for time, value in zip(times, points.values)]
        present = [(time, value) for time, value in zip(times, points.values) if value is not None]
        if rates:
            present = list(rates_of(present))
        return [list(bucket) for bucket in buckets_of(present, self.start, self.step)]


def rates_of(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """A counter's increase per second between neighbours. An interval in which it fell is a restart: left out,
    not a spike; so is one in which the clock did not move forward."""
    for (before, a), (time, b) in pairwise(points):
        if b >= a and time > before:
            yield time, (b - a) / (time - before)


def buckets_of(
    points: Iterable[tuple[float, float]], start: float, step: float
) -> Iterator[tuple[float, float, float, float, int]]:
    """(end of bucket, min, mean, max, count) of every bucket that has a point; a bucket includes its end."""
    bucket, values = -1, [0.0][:0]
    for time, value in points:
        index = max(0, math.ceil((time - start) / step) - 1)
        if index != bucket and values:
            yield _bucket(start + (bucket + 1) * step, values)
            values = []
        bucket = index
        values.append(value)
    if values:
        yield _bucket(start + (bucket + 1) * step, values)


def _bucket(end: float, values: Sequence[float]) -> tuple[float, float, float, float, int]:
    return round(end, 3), min(values), sum(values) / len(values), max(values), len(values)
