# SPDX-License-Identifier: MIT
"""`hwinfoctl inventory [accept]`: the devices that are expected, and those of now made the baseline."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.failures import OK
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, printable

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.devices import Inventory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", nargs="?", choices=("show", "accept"), default="show", metavar="ACTION",
        help="accept: what is here now is what is expected from now on (root)",
    )  # fmt: skip


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    if options.action == "accept":
        document: Inventory = json.loads(client.request("POST", "/v1/inventory/accept"))
    else:
        document = client.get("/v1/inventory")
    if options.json:
        write_json(terminal, document)
        return OK
    for line in _lines(document, terminal):
        terminal.write(line)
    return OK


def _lines(document: Inventory, terminal: Terminal) -> list[str]:
    accepted = document["accepted_seconds"]
    if accepted is None:
        title = "no inventory was accepted: hwinfoctl inventory accept"
    else:
        title = f"accepted {units.clock(accepted, '%Y-%m-%d %H:%M:%S')}"
    rows = [["CLASS", "EXPECTED", "PRESENT", "MISSING", "NEW"]]
    for kind in sorted({*document["expected"], *document["present"]}):
        expected, present = set(document["expected"].get(kind, [])), set(document["present"].get(kind, []))
        missing = printable(" ".join(sorted(expected - present)))
        new = printable(" ".join(sorted(present - expected))) if accepted is not None else ""
        rows.append([kind, str(len(expected)), str(len(present)), terminal.paint(missing, "red"), new])
    head, *body = columns(rows, right=frozenset({1, 2}))
    return [title, terminal.paint(head, "dim"), *body]
