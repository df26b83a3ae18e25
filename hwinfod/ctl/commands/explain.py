# SPDX-License-Identifier: MIT
"""`hwinfoctl explain METRIC`: what it means, in which unit, and where it comes from."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from hwinfod.ctl.commands import _facts
from hwinfod.ctl.failures import OK, USAGE, Failure
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import filled, printable

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.samples import MetricRecord


_NAME_COLUMNS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("metric", metavar="METRIC", help="hwinfoctl metrics lists them")


def _aside(metric: MetricRecord) -> list[str]:
    return [f"detailed for {label} {', '.join(values)}" for label, values in metric["aside"].items()]


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    known: dict[str, MetricRecord] = {m["name"]: m for m in client.get("/v1/metrics")["metrics"]}
    metric = known.get(options.metric)
    if metric is None:
        near = difflib.get_close_matches(options.metric, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "hwinfoctl metrics lists them"
        raise Failure(f"no metric is called {printable(options.metric)}", hint, USAGE)
    if options.json:
        write_json(terminal, metric)
        return OK
    terminal.write(terminal.paint(metric["name"], "bold"))
    terminal.write(filled(metric["help"], terminal.width - 2))
    rows = [
        ["kind", metric["kind"]],
        ["unit", metric["unit"] or "none"],
        ["labels", ", ".join(metric["labels"]) or "none"],
        ["states", ", ".join(metric["states"])],
        ["level", "; ".join([metric["level"], *_aside(metric)])],
        ["source", metric["source"]],
        ["collector", metric["collector"]],
        ["series now", str(metric["series"])],
    ]
    for name, value in rows:
        if value:
            terminal.write(filled(value, terminal.width, f"  {name:{_NAME_COLUMNS}}"))
    further = _facts.shown_by(metric) if metric["kind"] == _facts.KIND else f"hwinfoctl history {metric['name']}"
    terminal.write(terminal.paint(f"  {further}", "dim"))
    return OK
