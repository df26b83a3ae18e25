# SPDX-License-Identifier: MIT
"""`hwinfoctl show COLLECTOR`: every value of one collector, laid out by what it has in common; generic, so that a
new collector shows without a line of code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.commands import _facts
from hwinfod.ctl.failures import OK, USAGE, Failure
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.samples import MetricRecord, Sample

_BAR = 12
_CELL = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collector", metavar="COLLECTOR", help="hwinfoctl collectors lists them")
    parser.add_argument("--all", action="store_true", help="detailed values too: each core, each sensor")


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    known = {item["name"]: item for item in client.get("/v1/collectors")["collectors"]}
    collector = known.get(options.collector)
    if collector is None:
        raise Failure(f"no collector is called {printable(options.collector)}", f"known: {', '.join(known)}", USAGE)
    document = client.get(
        "/v1/samples", {"collector": options.collector, "level": "detailed" if options.all else "standard"}
    )
    if options.json:
        write_json(terminal, document)
        return OK
    if collector["state"] != "ok":
        terminal.write(f"{options.collector}: {collector['state']}: {printable(collector['reason'])}")
    catalog = {metric["name"]: metric for metric in client.get("/v1/metrics")["metrics"]}
    for line in layout(document["samples"], catalog, terminal):
        terminal.write(line)
    if not document["samples"] and collector["state"] == "ok":
        kinds = {metric["kind"] for metric in catalog.values() if metric["collector"] == options.collector}
        what = "facts alone: hwinfoctl devices" if kinds == {_facts.KIND} else "no values now"
        terminal.write(f"{options.collector}: {collector['state']}: {what}")
    if not options.all:
        hidden = sum(len(table) for table in _hidden(client, options.collector, document["samples"]))
        if hidden:
            terminal.write(terminal.paint(f"{hidden} more with --all", "dim"))
    return OK


def _hidden(client: Client, collector: str, shown: list[Sample]) -> list[list[Sample]]:
    every = client.get("/v1/samples", {"collector": collector, "level": "detailed"})["samples"]
    return [every[len(shown) :]]


def layout(samples: Iterable[Sample], catalog: dict[str, MetricRecord], terminal: Terminal) -> list[str]:
    """Metrics with the same label names stand in one table, a row for each thing they tell of."""
    groups: dict[tuple[str, ...], list[Sample]] = {}
    for sample in samples:
        groups.setdefault(tuple(sample["labels"]), []).append(sample)
    lines: list[str] = []
    for names, group in sorted(groups.items(), key=lambda item: len(item[0])):
        if lines:
            lines.append("")
        lines += _plain(group, catalog, terminal) if not names else _table(names, group, catalog, terminal)
    return lines


def value_text(sample: Sample, metric: MetricRecord | None) -> str:
    if sample["state"]:
        return sample["state"]
    value = units.number(sample["value"])
    if value is None:
        return "-"
    return units.quantity(value, metric["unit"] if metric else "")


def _plain(group: list[Sample], catalog: dict[str, MetricRecord], terminal: Terminal) -> list[str]:
    rows = []
    for sample in group:
        metric = catalog.get(sample["metric"])
        ratio = units.number(sample["value"])
        is_ratio = metric is not None and metric["unit"] == "ratio" and ratio is not None and 0 <= ratio <= 1
        bar = terminal.bar(ratio, _BAR) if is_ratio and ratio is not None else ""
        rows.append([sample["metric"], value_text(sample, metric), bar])
    return columns(rows, right=frozenset({1}))


def _table(
    names: tuple[str, ...], group: list[Sample], catalog: dict[str, MetricRecord], terminal: Terminal
) -> list[str]:
    metrics = list(dict.fromkeys(sample["metric"] for sample in group))
    rows: dict[tuple[str, ...], dict[str, Sample]] = {}
    for sample in group:
        key = tuple(printable(sample["labels"][name]) for name in names)
        rows.setdefault(key, {})[sample["metric"]] = sample
    stem = _common_stem(metrics)
    if len(rows) < len(metrics) and len(rows) * _CELL < terminal.width - _CELL * 3:
        return _few_things(names, rows, metrics, catalog, terminal)
    lines: list[str] = []
    for part in _that_fit(metrics, stem, terminal.width):
        head = [name.upper() for name in names] + [metric[len(stem) :] for metric in part]
        body = [
            [*key, *(value_text(found[m], catalog.get(m)) if m in found else "-" for m in part)]
            for key, found in rows.items()
            if any(m in found for m in part)
        ]
        first, *rest = columns([head, *body], right=frozenset(range(len(names), len(head))))
        title = f"{stem}*" if stem and len(metrics) > 1 else ""
        lines += [terminal.paint(title, "bold")] if title else []
        lines += [terminal.paint(first, "dim"), *rest]
    return lines


def _few_things(
    names: tuple[str, ...],
    rows: dict[tuple[str, ...], dict[str, Sample]],
    metrics: list[str],
    catalog: dict[str, MetricRecord],
    terminal: Terminal,
) -> list[str]:
    """A row for each metric, where there are fewer things than metrics."""
    head = [" ".join(names).upper(), *(" ".join(key) for key in rows)]
    body = [
        [
            metric,
            *(value_text(found[metric], catalog.get(metric)) if metric in found else "-" for found in rows.values()),
        ]
        for metric in metrics
    ]
    first, *rest = columns([head, *body], right=frozenset(range(1, len(head))))
    return [terminal.paint(first, "dim"), *rest]


def _common_stem(metrics: list[str]) -> str:
    """What all names begin with, up to a whole word."""
    if len(metrics) < 2:
        return ""
    first, last = min(metrics), max(metrics)
    length = next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), min(len(first), len(last)))
    return first[: first.rfind("_", 0, length + 1) + 1]


def _that_fit(metrics: list[str], stem: str, width: int) -> list[list[str]]:
    """The metrics in runs whose headings fit the width; things with many metrics get several tables."""
    parts: list[list[str]] = [[]]
    used = 0
    room = max(30, width - 24)
    for metric in metrics:
        needs = max(9, len(metric) - len(stem)) + 2
        if parts[-1] and used + needs > room:
            parts.append([])
            used = 0
        parts[-1].append(metric)
        used += needs
    return parts
