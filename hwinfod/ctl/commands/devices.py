# SPDX-License-Identifier: MIT
"""`hwinfoctl devices [ID]`: the inventory, or all facts of one device."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from hwinfod.ctl import units
from hwinfod.ctl.failures import OK
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, printable

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire import DeviceRecord

_TELLING = ("model", "vendor", "driver", "pci", "numa_node", "serial", "firmware", "version")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", default="", metavar="ID", help="all facts of one device")
    parser.add_argument("--kind", default="", help="only devices of this kind: gpu, disk, network ...")


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    if options.id:
        device: DeviceRecord = client.get(f"/v1/devices/{quote(options.id, safe='')}")
        if options.json:
            write_json(terminal, device)
        else:
            for line in _facts(device):
                terminal.write(line)
        return OK
    document = client.get("/v1/devices", {"kind": options.kind} if options.kind else None)
    if options.json:
        write_json(terminal, document)
        return OK
    rows = [["KIND", "NAME", "STATUS", "WHAT"]]
    for record in document["devices"]:
        style = {"lost": "red", "passed through": "yellow"}.get(record["status"], "")
        status = terminal.paint(record["status"], style) if style else record["status"]
        rows.append([record["kind"], printable(record["name"]), status, printable(_what(record))])
    head, *body = columns(rows)
    terminal.write(terminal.paint(head, "dim"))
    for line in body:
        terminal.write(line)
    return OK


def _what(device: DeviceRecord) -> str:
    """The facts that tell one device from another."""
    facts = device["facts"]
    return "  ".join(facts[name] for name in _TELLING if facts.get(name))


def _facts(device: DeviceRecord) -> list[str]:
    rows = [
        ["id", device["id"]],
        ["kind", device["kind"]],
        ["name", device["name"]],
        ["status", f"{device['status']} since {units.clock(device['status_since_seconds'], '%Y-%m-%d %H:%M:%S')}"],
        ["collector", device["collector"]],
    ]
    rows += [["part of", device["parent"]]] if device["parent"] else []
    rows += [[name, value] for name, value in sorted(device["facts"].items()) if value]
    return columns([[printable(cell) for cell in row] for row in rows])
