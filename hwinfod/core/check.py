# SPDX-License-Identifier: MIT
"""Checks: what counts as wrong, declared beside the metric that shows it. `hwinfoctl status` puts them in front."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hwinfod.core.codec import Value
    from hwinfod.core.collector import Collector
    from hwinfod.core.event import Severity
    from hwinfod.core.host import Host
    from hwinfod.core.metric import Metric
    from hwinfod.core.series import Series


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """One thing that can be wrong.

    `wrong(value)` judges the latest value; with `for_seconds` every value of that time must be wrong; with
    `increase_seconds` the counter's increase over that time is judged instead. `text` says what is wrong and may
    use {value} and the metric's label names; `remedy` is what to do or to type next. `only` narrows the check to
    series with these label values.
    """

    name: str
    metric: Metric
    wrong: Callable[[float], bool]
    severity: Severity
    text: str
    remedy: str = ""
    for_seconds: float = 0.0
    increase_seconds: float = 0.0
    only: Mapping[str, str] = field(default_factory=dict)

    def concerns(self, series: Series) -> bool:
        if not self.only:
            return True
        labels = dict(zip(series.metric.labels, series.labels))
        return all(labels.get(name) == value for name, value in self.only.items())


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that found something wrong, on one series."""

    check: Check
    series: Series
    value: float

    @property
    def text(self) -> str:
        labels = dict(zip(self.series.metric.labels, self.series.labels))
        return self.check.text.format(value=self.value, **labels)


def checks_of(collectors: Iterable[type[Collector]]) -> list[Check]:
    """The checks that the collectors' modules declare at module level, alone or in a tuple or list."""
    found: dict[Check, None] = {}
    for collector in collectors:
        for value in vars(sys.modules[collector.__module__]).values():
            items = value if isinstance(value, (tuple, list)) else (value,)
            found.update((item, None) for item in items if isinstance(item, Check))
    return list(found)


def evaluate(host: Host, checks: Iterable[Check]) -> list[Finding]:
    """Everything that is wrong now, the worst first. Reads the latest rows and, for checks over time, the ring."""
    by_metric: dict[Metric, list[Check]] = {}
    for check in checks:
        by_metric.setdefault(check.metric, []).append(check)
    findings = [
        Finding(check, series, judged)
        for table, series, value in _latest(host, by_metric)
        for check in by_metric[series.metric]
        if check.concerns(series) and (judged := _judge(host, check, table, series, value)) is not None
    ]
    return sorted(findings, key=lambda finding: -finding.check.severity)


def _latest(host: Host, metrics: dict[Metric, list[Check]]) -> Iterator[tuple[str, Series, float]]:
    for table in host.fresh_tables():
        row = table.latest
        if row is None:
            continue
        for series, value in zip(row.layout.columns, row.values):
            if value is not None and series is not None and series.metric in metrics:
                yield table.name, series, value


def _judge(host: Host, check: Check, table: str, series: Series, value: float) -> float | None:
    """The value that is wrong; None where all is well."""
    window = check.for_seconds or check.increase_seconds
    if not window:
        return value if check.wrong(value) else None
    if check.for_seconds and not check.wrong(value):
        return None
    now = host.clock.wall_ns()
    points = host.ring.read(table, series, now - int(window * 1e9), now)
    values = [v for v in points.values if v is not None]
    if check.increase_seconds:
        increase = _increase(values)
        return increase if check.wrong(increase) else None
    covered = bool(points.wall_ns) and now - points.wall_ns[0] >= 0.9e9 * window
    return value if covered and all(map(check.wrong, values)) else None


def _increase(values: Iterable[Value]) -> float:
    """How much a counter rose; a fall is a restart of the counter and adds nothing."""
    present = [value for value in values if value is not None]
    return sum(max(0, b - a) for a, b in pairwise(present))
