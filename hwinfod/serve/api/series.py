# SPDX-License-Identifier: MIT
"""/v1/series: what series were, from the ring. The answer is made and sent series by series, each with a turn for
everybody else before it: an hour of a large table is megabytes of JSON, and seconds of work."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise
from typing import TYPE_CHECKING

from hwinfod.core.metric import Kind
from hwinfod.errors import UserError
from hwinfod.serve.api.context import allow_only, json_bytes, labels_of, number, one, wire_value
from hwinfod.serve.api.samples import matches, may_see, parse_labels
from hwinfod.serve.http import problems
from hwinfod.serve.http.messages import Request, Response
from hwinfod.serve.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from hwinfod.core.host import Host
    from hwinfod.core.metric import Metric
    from hwinfod.core.ring import Points
    from hwinfod.core.series import Series
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.router import Router
    from hwinfod.wire import WireValue
    from hwinfod.wire.samples import SeriesHistory, SeriesPoints

MOST_SERIES = 1000
MOST_POINTS = 500_000
_END = b"]}\n"


def add_routes(router: Router, api: ApiContext) -> None:
    turn = asyncio.Lock()

    def series(request: Request) -> Response:
        allow_only(request, ("name", "label", "start", "end", "step"))
        viewer = api.viewer(request)
        query = _Query(api.host, request)
        if not may_see(viewer, query.metric):
            raise Problem(problems.FORBIDDEN, "whose work it is is shown to root and the group hwinfod; see /v1/owners")
        return Response(200, stream=_document(query, query.find(), turn), ends=True)

    router.add("GET", "/v1/series", series)


async def _document(query: _Query, found: Sequence[tuple[Series, str]], turn: asyncio.Lock) -> AsyncIterator[bytes]:
    """The JSON in parts, of which one at a time is made for all who ask."""
    yield json_bytes(dict(query.head())).removesuffix(_END)
    comma = b""
    for series, table in found:
        async with turn:
            await asyncio.sleep(0)
            part = json_bytes(dict(query.read(series, table))).rstrip()
        yield comma + part
        comma = b","
    yield _END


class _Query:
    """One question about the past. Raises UserError for a question that cannot be meant."""

    def __init__(self, host: Host, request: Request) -> None:
        now = host.clock.wall_ns() / 1e9
        self._ring = host.ring
        self.metric = _metric(host, one(request, "name"))
        self.labels = _labels(self.metric, parse_labels(request.query.get("label", [])))
        self.end = number(request, "end", now)
        self.start = number(request, "start", self.end - 900)
        self.step = number(request, "step", 0)
        if self.start > self.end or self.step < 0:
            raise UserError("start must not be after end, and step must not be negative")
        self._is_rate = self.metric.kind is Kind.COUNTER and self.step > 0

    def find(self) -> list[tuple[Series, str]]:
        """The series with their tables. Raises UserError where that is more than is answered."""
        found = [(s, t) for s, t in self._ring.find(self.metric.name).items() if matches(s, self.labels)]
        if len(found) > MOST_SERIES:
            raise UserError(f"{len(found)} series match, at most {MOST_SERIES} are answered", hint="add label=...")
        rows = {table: self._ring.count(table, *self._span()) for table in {table for _, table in found}}
        values = sum(rows[table] for _, table in found)
        if values > MOST_POINTS:
            raise UserError(
                f"{values} values are recorded of that, at most {MOST_POINTS} are read",
                hint="ask for less time or fewer labels",
            )
        return sorted(found, key=lambda pair: pair[0].labels)

    def head(self) -> SeriesHistory:
        return {
            "metric": self.metric.name,
            "kind": self.metric.kind.value,
            "unit": self.metric.unit,
            "help": self.metric.help,
            "of": "rate" if self._is_rate else "value",
            "start_seconds": self.start,
            "end_seconds": self.end,
            "step_seconds": self.step,
            "series": [],
        }

    def read(self, series: Series, table: str) -> SeriesPoints:
        points = self._ring.read(table, series, *self._span())
        return {"labels": labels_of(series), "points": self._points(points)}

    def _span(self) -> tuple[int, int]:
        return int(self.start * 1e9), int(self.end * 1e9)

    def _points(self, points: Points) -> list[list[WireValue]]:
        times = [time / 1e9 for time in points.wall_ns]
        if not self.step:
            return [[round(time, 3), wire_value(value)] for time, value in zip(times, points.values)]
        present = [(time, value) for time, value in zip(times, points.values) if value is not None]
        if self._is_rate:
            present = list(rates_of(present))
        return [list(bucket) for bucket in buckets_of(present, self.start, self.step)]


def _metric(host: Host, name: str) -> Metric:
    if not name:
        raise UserError("parameter name is missing", hint="the name of one metric; /v1/metrics lists them")
    if name not in host.catalog:
        raise UserError("no metric of this host has this name", hint=_hint(name, host.catalog))
    return host.catalog[name][0]


def _hint(name: str, known: Iterable[str]) -> str:
    """What may have been meant, in the catalog's words: nothing of the request is repeated."""
    import difflib  # 5 ms that only a mistake has to pay

    near = difflib.get_close_matches(name[:100], known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else "hwinfoctl metrics; /v1/metrics"


def _labels(metric: Metric, labels: Mapping[str, str]) -> Mapping[str, str]:
    """The labels asked for, which the metric has."""
    if not set(labels) <= set(metric.labels):
        known = ", ".join(metric.labels)
        raise UserError("the metric has no such label", hint=f"its labels: {known}" if known else "it has none")
    return labels


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
