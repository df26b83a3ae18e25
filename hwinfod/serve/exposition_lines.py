# SPDX-License-Identifier: MIT
"""The lines of an exposition, made once for a set of columns; a scrape only joins them with the values.

What stands in front of a value, `name{labels} ` and before a family's first sample its HELP and TYPE, does not change
from scrape to scrape. Joining it costs 0.1 to 0.3 us a sample, a general library 4 us, for the same bytes.
"""

from __future__ import annotations

import enum
import math
from itertools import chain, repeat
from operator import itemgetter
from typing import TYPE_CHECKING

from hwinfod.core.metric import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hwinfod.core.codec import Value
    from hwinfod.core.metric import Metric
    from hwinfod.core.series import Series

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Format(enum.Enum):
    """The two text formats, by their media type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Plan:
    """The columns of an exposition, in order. `families` are lists of (place in the row, series) of one metric."""

    def __init__(self, families: Sequence[Sequence[tuple[int, Series]]], form: Format) -> None:
        self._form = form
        self._families = [family for family in families if family[0][1].metric.kind is not Kind.STATE]
        self._states = [family for family in families if family[0][1].metric.kind is Kind.STATE]
        self._present = _Present(self._families, form, frozenset())

    def render(self, values: Sequence[Value]) -> list[str]:
        """The text in parts, without infos and EOF. `values` are the rows one behind the other."""
        if not self._present.fits(values):
            places = (place for family in self._families for place, _ in family)
            absent = frozenset(place for place in places if values[place] is None)
            self._present = _Present(self._families, self._form, absent)
        parts = self._present.render(values)
        for family in self._states:
            parts += _state_lines(family, values, self._form)
        return parts


class _Present:
    """The samples that there are while the same values are absent, which mostly is for hours."""

    def __init__(self, families: Sequence[Sequence[tuple[int, Series]]], form: Format, absent: frozenset[int]) -> None:
        self._absent_of = _getter(sorted(absent))
        self._prefixes: list[str] = []
        places: list[int] = []
        for family in families:
            before = header(family[0][1].metric, form)
            for place, series in family:
                if place not in absent:
                    self._prefixes.append(f"{before}{sample_prefix(series.metric, series.labels)}")
                    before = ""
                    places.append(place)
        self._values_of = _getter(places)

    def fits(self, values: Sequence[Value]) -> bool:
        absent = self._absent_of(values)
        return absent.count(None) == len(absent) and None not in self._values_of(values)

    def render(self, values: Sequence[Value]) -> list[str]:
        present: tuple[float, ...] = self._values_of(values)  # type: ignore[assignment]  # `fits` saw to it
        texts = map(repr if math.isfinite(sum(present)) else _number, present)
        return list(chain.from_iterable(zip(self._prefixes, texts, repeat("\n"))))


def _getter(places: Sequence[int]) -> Callable[[Sequence[Value]], tuple[Value, ...]]:
    """The values at these places as a tuple, whatever their number."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple(values[place] for place in places)


def _number(value: float) -> str:
    """A number as Prometheus reads it: the shortest text that gives the same double."""
    text = repr(value)
    return text if text[-1] not in "fn" else {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}[text]


def _state_lines(family: Sequence[tuple[int, Series]], values: Sequence[Value], form: Format) -> list[str]:
    """A state expanded: one sample a state, 1 for the one that holds. Both formats write it as a gauge, so that
    the same series come out whichever one Prometheus asks for."""
    metric = family[0][1].metric
    lines = []
    for place, series in family:
        if values[place] is not None:
            prefix = sample_prefix(metric, series.labels)
            stem = prefix[:-2] + "," if metric.labels else prefix[:-1] + "{"
            held = values[place]
            lines += [f'{stem}state="{state}"}} {int(i == held)}\n' for i, state in enumerate(metric.states)]
    return [header(metric, form), *lines] if lines else []


def sample_prefix(metric: Metric, values: Sequence[str]) -> str:
    """What stands before the value of a sample: `name{label="value"} `."""
    if not metric.labels:
        return f"{metric.name} "
    pairs = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(metric.labels, values))
    return f"{metric.name}{{{pairs}}} "


def header(metric: Metric, form: Format) -> str:
    """HELP and TYPE, in OpenMetrics UNIT too. There a counter's family is named without `_total`, an info's
    without `_info`."""
    kind = "gauge" if metric.kind in (Kind.STATE, Kind.INFO) else metric.kind.value
    text = metric.help.translate(_HELP_ESCAPES)
    if form is Format.TEXT:
        return f"# HELP {metric.name} {text}\n# TYPE {metric.name} {kind}\n"
    text = text.replace('"', r"\"")
    name = metric.name.removesuffix("_total")
    if metric.kind is Kind.INFO:
        name, kind = metric.name.removesuffix("_info"), "info"
    unit = metric.unit.rpartition("_")[2] if metric.unit == "timestamp_seconds" else metric.unit
    unit_line = f"# UNIT {name} {unit}\n" if unit else ""
    return f"# TYPE {name} {kind}\n{unit_line}# HELP {name} {text}\n"
