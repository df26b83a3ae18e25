# SPDX-License-Identifier: MIT
"""`hwinfoctl holders`: every process with a device node open, for the moment before a driver is reloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.commands import _command_column
from hwinfod.ctl.commands._owner_table import node_names, shortened
from hwinfod.ctl.failures import OK
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, folded, printable

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.owners import Holders, OpenNodes

_CLASSES = ("nvidia", "dri", "kfd", "infiniband", "vfio")
_NAME_AT_80, _NAME_AT_120 = 24, 44


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "of", nargs="?", choices=_CLASSES, metavar="CLASS", help=f"only nodes of one kind: {', '.join(_CLASSES)}"
    )
    _command_column.add_arguments(parser)


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    document: Holders = client.get("/v1/holders", _command_column.QUERY)
    if options.of:
        document = {**document, "holders": [h for h in document["holders"] if _nodes(h, options.of)]}
    if options.json:
        write_json(terminal, document)
        return OK
    for line in lines(document, terminal, options.of or "", wide=options.wide):
        terminal.write(line)
    return OK


def lines(document: Holders, terminal: Terminal, of: str = "", *, wide: bool = False) -> list[str]:
    """The table, its age, and what is out of sight."""
    age = document["age_seconds"]
    if age is None:
        return ["nobody looked yet, or there are no device nodes here: hwinfoctl collectors"]
    room = _NAME_AT_120 if terminal.width >= 120 else _NAME_AT_80
    rows = [["PID", "PROCESS", "MEMORY", "OWNER", "NODES"]]
    rows += [_row(holder, room, of) for holder in document["holders"]]
    commands = [holder["command_line"] for holder in document["holders"]]
    below: list[list[str]] = [[] for _ in document["holders"]]
    if max(map(len, columns(rows))) > terminal.width:  # all nodes of eight GPUs: they stand below
        below = [folded(f"open {row.pop()}", terminal.width - 2) for row in rows][1:]
    head, *table = _command_column.table(rows, commands, terminal, right=frozenset({0, 2}), wide=wide)
    body = [line for first, more in zip(table, below, strict=True) for line in (first, *(f"  {each}" for each in more))]
    hidden = document["hidden_processes"]
    blind = [f"{hidden} processes may not be looked into"] if hidden else []
    return [
        *([terminal.paint(head, "dim"), *body] if body else ["no process has device nodes open"]),
        f"seen {units.duration(age)} ago",
        *(
            terminal.paint(line, "yellow")
            for reason in (*blind, *document["blind"])
            for line in folded(printable(reason), terminal.width)
        ),
    ]


def _row(holder: OpenNodes, room: int, of: str) -> list[str]:
    memory = holder["memory_bytes"]
    return [
        str(holder["pid"] or "-"),
        printable(holder["process"]),
        "none" if memory is None else units.size(memory),
        shortened(printable(holder["owner"]), room),
        node_names(_nodes(holder, of)),
    ]


def _nodes(holder: OpenNodes, of: str) -> list[str]:
    """The nodes of one kind, or all."""
    return [node for node in holder["nodes"] if node.startswith(f"/dev/{of}")]
