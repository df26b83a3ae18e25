# SPDX-License-Identifier: MIT
"""`hwinfoctl gpu GPU`: one of them in full. `hwinfoctl gpu release [--for 10m]` makes the daemon let go of NVIDIA's
driver, so that a GPU can be reset, cut with MIG or given away; `hwinfoctl gpu resume` makes it take it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from hwinfod.ctl import units
from hwinfod.ctl.commands.gpus import health, released
from hwinfod.ctl.commands.ps import process_lines
from hwinfod.ctl.failures import OK, naming
from hwinfod.ctl.output import write_json
from hwinfod.ctl.span import parse_span
from hwinfod.ctl.terminal import columns, printable, wrap

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.gpus import Gpu, GpuHold, GpuProcesses

_FEW = 2
_UNITS = ("timestamp_seconds", "bytes", "ratio", "watts", "celsius", "hertz", "joules", "seconds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "gpu", metavar="GPU", help="index, id or PCI address of a GPU; `release` or `resume` the driver"
    )
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
    with naming(f"gpu {options.gpu}"):
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
    if values:
        lines += ["", *columns(values, right=frozenset({1}))]
    by_label = sorted(gpu["by_label"].items())
    if by_label:
        width = max(len(name) for name, _ in by_label) + 2
        lines.append("")
        for name, labelled in by_label:
            lines += wrap(name.ljust(width), _parts(name, labelled), terminal.width)
    return [*lines, "", *process_lines(processes, terminal)] if gpu["status"] == "present" else lines


def _parts(name: str, by_label: Mapping[str, object]) -> list[str]:
    """What a family has by sensor, link, reason ... : what is the same on each link said once, zeros together."""
    shown = {label: _shown(name, by_label[label]) for label in sorted(by_label, key=units.natural)}
    zeros = [label for label in shown if units.number(by_label[label]) == 0] if len(shown) > _FEW else []
    is_numbered = len(shown) > _FEW and all(label.isdigit() for label in shown)
    if len(zeros) == len(shown) or (is_numbered and len(set(shown.values())) == 1):
        return [f"{next(iter(shown.values()))} each of {len(shown)}"]
    if len(zeros) < _FEW:
        zeros = []
    parts = [f"{printable(label)} {value}" for label, value in shown.items() if label not in zeros]
    return [*parts, f"{len(zeros)} others {shown[zeros[0]]}"] if zeros else parts


def _shown(name: str, value: object) -> str:
    number = units.number(value)
    if number is None:
        return printable(str(value))
    stem = name.removesuffix("_total")
    return units.quantity(number, next((unit for unit in _UNITS if stem.endswith(f"_{unit}")), ""))
