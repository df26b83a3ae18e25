# SPDX-License-Identifier: MIT
"""`hwinfoctl gpu INDEX|ID`: one GPU in full. `hwinfoctl gpu release [--for 10m]` makes the daemon let go of NVIDIA's
driver, so that a GPU can be reset, cut with MIG or given away; `hwinfoctl gpu resume` makes it take it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from hwinfod.ctl import units
from hwinfod.ctl.commands.gpus import health, released
from hwinfod.ctl.commands.ps import process_lines
from hwinfod.ctl.failures import OK
from hwinfod.ctl.output import write_json
from hwinfod.ctl.span import parse_span
from hwinfod.ctl.terminal import columns, printable

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire_gpus import Gpu, GpuHold, GpuProcesses

_UNITS = ("bytes", "ratio", "watts", "celsius", "hertz", "joules", "seconds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("gpu", metavar="GPU", help="index or id of a GPU; `release` or `resume` the driver")
    parser.add_argument(
        "--for",
        dest="span",
        type=parse_span,
        default=600.0,
        metavar="SPAN",
        help="release: for how long (default: 10m)",
    )


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    if options.gpu in ("release", "resume"):
        return _hold(client, options, terminal)
    path = f"/v1/gpus/{quote(options.gpu, safe='')}"
    gpu: Gpu = client.get(path)
    processes: GpuProcesses = client.get(f"{path}/processes")
    if options.json:
        write_json(terminal, {**gpu, "processes": processes})
        return OK
    for line in _lines(gpu, processes, terminal):
        terminal.write(line)
    return OK


def _hold(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    query = {"for": f"{options.span:.0f}"} if options.gpu == "release" else None
    hold: GpuHold = json.loads(client.request("POST", f"/v1/gpus/{options.gpu}", query))
    if options.json:
        write_json(terminal, hold)
        return OK
    for line in released(hold) or ["the daemon reads the GPUs again"]:
        terminal.write(line)
    return OK


def _lines(gpu: Gpu, processes: GpuProcesses, terminal: Terminal) -> list[str]:
    since = units.clock(gpu["status_since_seconds"], "%Y-%m-%d %H:%M:%S")
    state = health(gpu, terminal) if gpu["status"] == "present" else terminal.paint(gpu["status"].upper(), "red")
    lines = [f"GPU {printable(gpu['name'])}  {printable(gpu['id'])}  {state}  {gpu['status']} since {since}", ""]
    rows = [[printable(name), printable(value)] for name, value in sorted(gpu["facts"].items()) if value]
    rows += [["partition", printable(f"{part['name']} {part['id']} {part['status']}")] for part in gpu["partitions"]]
    lines += columns(rows)
    values = [[name, _shown(name, value)] for name, value in sorted(gpu["values"].items())]
    for name, by_label in sorted(gpu["by_label"].items()):
        values += [[f"{name} {printable(label)}", _shown(name, value)] for label, value in sorted(by_label.items())]
    if values:
        lines += ["", *columns(values, right=frozenset({1}))]
    return [*lines, "", *process_lines(processes, terminal)]


def _shown(name: str, value: object) -> str:
    number = units.number(value)
    if number is None:
        return printable(str(value))
    stem = name.removesuffix("_total")
    return units.quantity(number, next((unit for unit in _UNITS if stem.endswith(f"_{unit}")), ""))
