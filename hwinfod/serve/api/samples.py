# SPDX-License-Identifier: MIT
"""/v1/samples: the latest values."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from hwinfod.core.metric import Level
from hwinfod.core.owner import tells_owners
from hwinfod.errors import UserError
from hwinfod.serve.api.context import allow_only, labels_of, one, wire_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hwinfod.core.codec import Value
    from hwinfod.core.host import Host
    from hwinfod.core.metric import Metric
    from hwinfod.core.series import Series
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.messages import Request, Response
    from hwinfod.serve.http.router import Router
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire.samples import Sample, Samples


def add_routes(router: Router, api: ApiContext) -> None:
    host = api.host

    def samples(request: Request) -> Response:
        allow_only(request, ("name", "collector", "label", "level"))
        viewer = api.viewer(request)
        pattern, collector = one(request, "name", "*"), one(request, "collector")
        labels = parse_labels(request.query.get("label", []))
        level = parse_level(one(request, "level", "detailed"))
        return api.reply(request, viewer, lambda: dict(_samples(host, viewer, pattern, collector, labels, level)))

    router.add("GET", "/v1/samples", samples)


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


def matches(series: Series, labels: Mapping[str, str]) -> bool:
    """Whether a series has labels that fit, by name; values may be globs."""
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
            and matches(series, labels)
        ],
    }


def may_see(viewer: Viewer, metric: Metric) -> bool:
    """Series that name owners are for those who may see other people's work; /v1/owners has one's own."""
    return viewer.sees_all or not tells_owners(metric)
