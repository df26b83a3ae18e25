# SPDX-License-Identifier: MIT
"""`hwinfoctl ps`: the processes on all GPUs, the most memory first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.commands import _command_column
from hwinfod.ctl.commands._owner_table import shortened
from hwinfod.ctl.failures import OK
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, printable

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.gpus import GpuProcess, GpuProcesses

_LEAST_NAME = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _command_column.add_arguments(parser)


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    document: GpuProcesses = client.get("/v1/gpus/all/processes", _command_column.QUERY)
    if options.json:
        write_json(terminal, document)
        return OK
    for line in process_lines(document, terminal, wide=options.wide):
        terminal.write(line)
    return OK


def process_lines(document: GpuProcesses, terminal: Terminal, *, wide: bool = False) -> list[str]:
    """The table, or a sentence where there is none."""
    if document["age_seconds"] is None:
        return ["nothing tells of processes on GPUs here"]
    if not document["processes"]:
        return ["no processes"]
    rows = [["GPU", "PID", "MEMORY", "UTIL", "ROLE", "PROCESS", "OWNER"]]
    rows += [_row(process) for process in document["processes"]]
    room = terminal.width - max(map(len, columns([row[:-1] for row in rows]))) - 2
    for row in rows:
        row[-1] = shortened(row[-1], max(room, _LEAST_NAME))
    commands = [process["command_line"] for process in document["processes"]]
    head, *body = _command_column.table(rows, commands, terminal, right=frozenset({1, 2, 3}), wide=wide)
    return [terminal.paint(head, "dim"), *body]


def _row(process: GpuProcess) -> list[str]:
    memory = units.number(process["amounts"].get("memory_bytes"))
    share = units.number(process["amounts"].get("utilization_ratio"))
    return [
        printable(process["gpu"]),
        str(process["pid"] or "-"),
        "-" if memory is None else units.size(memory),
        "-" if share is None else f"{share * 100:.0f}%",
        printable(process["role"]),
        printable(process["process"]),
        printable(process["owner"]),
    ]
