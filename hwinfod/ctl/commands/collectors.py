# SPDX-License-Identifier: MIT
"""`hwinfoctl collectors`: how the daemon's collectors fare, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.failures import OK
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, filled, printable, visible_length

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.status import CollectorState

_STYLES = {"ok": "green", "failing": "red", "absent": "dim", "starting": "yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    document = client.get("/v1/collectors")
    if options.json:
        write_json(terminal, document)
        return OK
    rows = [["COLLECTOR", "STATE", "EVERY", "TOOK", "CPU", "OVERRUNS", "LANE", "NOTE"]]
    rows += [_row(item, terminal) for item in document["collectors"]]
    notes = [row.pop() for row in rows]
    lines = columns(rows, right=frozenset({2, 3, 4, 5}))
    width = max(map(visible_length, lines)) + 2
    for number, (line, note) in enumerate(zip(lines, notes)):
        behind = line + " " * (width - visible_length(line)) + note
        if number == 0:
            terminal.write(terminal.paint(behind if visible_length(behind) <= terminal.width else line, "dim"))
        elif not note or visible_length(behind) <= terminal.width:
            terminal.write(behind.rstrip())
        else:
            terminal.write(line)
            terminal.write(filled(note, terminal.width))
    return OK


def _row(item: CollectorState, terminal: Terminal) -> list[str]:
    state, note = item["state"], item["reason"]
    style = _STYLES[state]
    if item["stuck"]:
        state, style = "STUCK", "red"
        note = f"in {item['step']} for {units.duration(item['busy_seconds'])}"
    elif item["skipped"] and not note:
        note = "left out: " + ", ".join(list(item["skipped"])[:3])
    took = item["duration_seconds"]
    return [
        item["name"],
        terminal.paint(state, style),
        units.duration(min((table["interval_seconds"] for table in item["tables"]), default=0)),
        "-" if took is None else f"{took * 1000:.2f} ms",
        units.duration(item["cpu_seconds"]),
        str(item["overruns"]),
        item["lane"],
        printable(note),
    ]
