# SPDX-License-Identifier: MIT
"""`hwinfoctl ps`: the processes on all GPUs, the most memory first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.failures import OK
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, printable

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire_gpus import GpuProcess, GpuProcesses


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    document: GpuProcesses = client.get("/v1/gpus/all/processes")
    if options.json:
        write_json(terminal, document)
        return OK
    for line in process_lines(document, terminal):
        terminal.write(line)
    return OK


def process_lines(document: GpuProcesses, terminal: Terminal) -> list[str]:
    """The table, or a sentence where there is none."""
    if document["age_seconds"] is None:
        return ["processes are not known"]
    if not document["processes"]:
        return ["no processes"]
    rows = [["GPU", "PID", "MEMORY", "UTIL", "ROLE", "PROCESS", "OWNER"]]
    rows += [_row(process) for process in document["processes"]]
    head, *body = columns(rows, right=frozenset({1, 2, 3}))
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
