# SPDX-License-Identifier: MIT
"""`hwinfoctl devices [DEVICE]`: the inventory, or all facts of one device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.commands import _device
from hwinfod.ctl.failures import FAILED, OK, Failure
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.devices import DeviceRecord

_TELLING = ("model", "vendor", "driver", "pci", "numa_node", "serial", "firmware", "version")
_LEAST_NAME, _LEAST_WHAT = 16, 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", default="", metavar="DEVICE", help="all facts of one device, by name or id")
    parser.add_argument("--kind", default="", help="only devices of this kind: gpu, disk, network ...")


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    if options.id:
        device = _device.find(client, options.id)
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
    if not document["devices"]:
        known = sorted({device["kind"] for device in client.get("/v1/devices")["devices"]})
        raise Failure(f"no device is of the kind {printable(options.kind)}", f"known: {', '.join(known)}", FAILED)
    head, *body = _table(document["devices"], terminal)
    terminal.write(terminal.paint(head, "dim"))
    for line in body:
        terminal.write(line)
    return OK


def _table(records: Sequence[DeviceRecord], terminal: Terminal) -> list[str]:
    """One long name does not take the room of what is told of all the others: it runs over."""
    kinds = max(len(text) for text in ("KIND", *(record["kind"] for record in records)))
    statuses = max(len(text) for text in ("STATUS", *(record["status"] for record in records)))
    most = max(_LEAST_NAME, terminal.width - kinds - statuses - _LEAST_WHAT - 6)
    names = max(len(text) for text in ("NAME", *(record["name"] for record in records)))
    names = min(names, most)
    lines = [f"{'KIND':{kinds}}  {'NAME':{names}}  {'STATUS':{statuses}}  WHAT"]
    for record in sorted(records, key=lambda record: (record["kind"], units.natural(record["name"]))):
        style = {"lost": "red", "passed through": "yellow"}.get(record["status"], "")
        place = f"{record['kind']:{kinds}}  {printable(record['name']):{names}}  "
        room_of_status = max(0, kinds + names + statuses + 4 - len(place))
        status = f"{record['status']:{room_of_status}}"
        what = _what(record, terminal.width - len(place) - len(status) - 2)
        lines.append(f"{place}{terminal.paint(status, style) if style else status}  {what}".rstrip())
    return lines


def _what(device: DeviceRecord, room: int) -> str:
    """The facts that tell one device from another, as many as there is room for."""
    facts = device["facts"]
    told = ""
    for name in _TELLING:
        fact = printable(facts.get(name, ""))
        longer = "  ".join(filter(None, (told, f"node {fact}" if fact and name == "numa_node" else fact)))
        if not told or len(longer) <= room:
            told = longer
    return told if len(told) <= room else f"{told[: max(0, room - 2)]}.."


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
