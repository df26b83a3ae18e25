# SPDX-License-Identifier: MIT
"""`hwinfoctl history METRIC [LABEL=VALUE ...] --since 15m`: a chart in the terminal, min to max and the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.chart import chart
from hwinfod.ctl.commands import _facts
from hwinfod.ctl.failures import FAILED, OK, USAGE, Failure, naming
from hwinfod.ctl.output import write_json
from hwinfod.ctl.span import parse_span
from hwinfod.ctl.terminal import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.samples import SeriesHistory, SeriesPoints

_MOST_CHARTS = 8
_MOST_VALUES = 8
_HEIGHT = 8
_MARGIN = 12  # room for the numbers at the left


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("metric", metavar="METRIC")
    parser.add_argument(
        "labels", nargs="*", default=[], metavar="LABEL=VALUE", help="only series with these labels; globs work"
    )
    parser.add_argument("--since", type=parse_span, default=900.0, metavar="TIME", help="15m (default), 2h, 1d")
    parser.add_argument("--step", type=parse_span, default=None, metavar="TIME", help="one point for so much time")


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    for label in options.labels:
        if label.find("=") < 1:
            raise Failure(f"{printable(label)} is no LABEL=VALUE", "such as device=sda", USAGE)
    width = max(20, min(terminal.width, 200) - _MARGIN)
    step = options.step or max(1.0, options.since / width)
    now = client.get("/v1/status")["time_seconds"]
    query: dict[str, str | list[str]] = {
        "name": options.metric,
        "label": options.labels,
        "start": str(now - options.since),
        "end": str(now),
        "step": str(step),
    }
    with naming(options.metric):
        history: SeriesHistory = client.get("/v1/series", query)
    if options.json:
        write_json(terminal, history)
        return OK
    if not any(series["points"] for series in history["series"]):
        if history["kind"] == _facts.KIND:
            raise _facts.no_series(next(m for m in client.get("/v1/metrics")["metrics"] if m["name"] == options.metric))
        raise _nothing(client, options)
    shown = [series for series in history["series"] if series["points"]]
    for series in shown[:_MOST_CHARTS]:
        for line in _draw(history, series, width, terminal):
            terminal.write(line)
    if len(shown) > _MOST_CHARTS:
        terminal.write(terminal.paint(f"{len(shown) - _MOST_CHARTS} more series; add LABEL=VALUE", "dim"))
    return OK


def _nothing(client: Client, options: argparse.Namespace) -> Failure:
    """Names the values that there are of the labels asked for."""
    metric = printable(options.metric)
    if options.labels:
        names = sorted({label.partition("=")[0] for label in options.labels})
        present = client.get("/v1/samples", {"name": options.metric})["samples"]
        values = {name: sorted({sample["labels"][name] for sample in present}) for name in names}
        if known := "; ".join(f"{name} is {_some(found)}" for name, found in values.items() if found):
            return Failure(f"nothing recorded of {metric} with these labels in that time", printable(known), FAILED)
    return Failure(f"nothing recorded of {metric} in that time", "hwinfoctl metrics", FAILED)


def _some(values: Sequence[str]) -> str:
    return " or ".join([*values[:_MOST_VALUES], *(["..."] if len(values) > _MOST_VALUES else [])])


def _draw(history: SeriesHistory, series: SeriesPoints, width: int, terminal: Terminal) -> list[str]:
    """Title, chart, time axis."""
    start, end = history["start_seconds"], history["end_seconds"]
    buckets: list[tuple[float, float, float] | None] = [None] * width
    for end_of_bucket, low, mean, high, _count in series["points"]:
        place = (units.number(end_of_bucket) or 0) - history["step_seconds"] / 2 - start
        index = min(width - 1, max(0, int(place / (end - start) * width)))
        buckets[index] = (units.number(low) or 0.0, units.number(mean) or 0.0, units.number(high) or 0.0)
    present = [bucket for bucket in buckets if bucket is not None]
    low, high = min(b[0] for b in present), max(b[2] for b in present)
    mean = sum(b[1] for b in present) / len(present)
    text = units.rate if history["of"] == "rate" else units.quantity
    unit = history["unit"]
    labels = ",".join(f'{k}="{v}"' for k, v in series["labels"].items())
    title = f"{history['metric']}{{{labels}}}" if labels else history["metric"]
    summary = f"min {text(low, unit)}  mean {text(mean, unit)}  max {text(high, unit)}"
    lines = [f"{terminal.paint(printable(title), 'bold')}  {summary}"]
    lines += chart(buckets, low, high, _HEIGHT, lambda value: text(value, unit), terminal)
    left, right = units.clock(start), units.clock(end)
    lines.append(" " * _MARGIN + left + right.rjust(width - len(left)))
    return lines
