# SPDX-License-Identifier: MIT
"""`hwinfoctl explain METRIC`: what it means, in which unit, and where it comes from."""

from __future__ import annotations

import difflib
import textwrap
from typing import TYPE_CHECKING

from hwinfod.ctl.failures import OK, USAGE, Failure
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, printable

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire import MetricRecord


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("metric", metavar="METRIC", help="hwinfoctl metrics lists them")


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
    terminal.write(textwrap.fill(metric["help"], terminal.width - 2, initial_indent="  ", subsequent_indent="  "))
    rows = [
        ["kind", metric["kind"]],
        ["unit", metric["unit"] or "none"],
        ["labels", ", ".join(metric["labels"]) or "none"],
        ["states", ", ".join(metric["states"])],
        ["level", metric["level"]],
        ["source", metric["source"]],
        ["collector", metric["collector"]],
        ["series now", str(metric["series"])],
    ]
    for line in columns([["", *row] for row in rows if row[1]]):
        terminal.write(line)
    terminal.write(terminal.paint(f"  hwinfoctl history {metric['name']}", "dim"))
    return OK
