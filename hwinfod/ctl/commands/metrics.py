# SPDX-License-Identifier: MIT
"""`hwinfoctl metrics [GLOB]`: what is measured; with a glob the latest values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl.commands import _facts
from hwinfod.ctl.commands.show import value_text
from hwinfod.ctl.failures import OK, Failure
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, printable

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.samples import MetricRecord


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("glob", nargs="?", default="", metavar="GLOB", help="such as 'hw_disk_*': their latest values")


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    if options.glob:
        return _values(client, options, terminal)
    document = client.get("/v1/metrics")
    if options.json:
        write_json(terminal, document)
        return OK
    rows = [["METRIC", "KIND", "LEVEL", "SERIES", "COLLECTOR"]]
    rows += [[m["name"], m["kind"], m["level"], str(m["series"]), m["collector"]] for m in document["metrics"]]
    head, *body = columns(rows, right=frozenset({3}))
    terminal.write(terminal.paint(head, "dim"))
    for line in body:
        terminal.write(line)
    return OK


def _values(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    document = client.get("/v1/samples", {"name": options.glob})
    if not document["samples"]:
        catalog = _catalog(client)
        if options.glob in catalog and catalog[options.glob]["kind"] == _facts.KIND:
            raise _facts.no_series(catalog[options.glob])
        raise Failure(f"no metric with a value matches {printable(options.glob)}", _hint(catalog, options.glob))
    if options.json:
        write_json(terminal, document)
        return OK
    catalog = _catalog(client)
    rows = []
    for sample in document["samples"]:
        labels = ",".join(f'{name}="{printable(value)}"' for name, value in sample["labels"].items())
        name = f"{sample['metric']}{{{labels}}}" if labels else sample["metric"]
        rows.append([name, value_text(sample, catalog.get(sample["metric"]))])
    for line in columns(rows, right=frozenset({1})):
        terminal.write(line)
    return OK


def _catalog(client: Client) -> dict[str, MetricRecord]:
    return {metric["name"]: metric for metric in client.get("/v1/metrics")["metrics"]}


def _hint(known: dict[str, MetricRecord], glob: str) -> str:
    """A word without a star matches whole names only."""
    if "*" not in glob and any(glob in name for name in known):
        return f"did you mean '*{printable(glob)}*'?"
    return "hwinfoctl metrics lists them"
