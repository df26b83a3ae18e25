# SPDX-License-Identifier: MIT
"""`hwinfoctl events [-f]`: what happened, and what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.commands import _device
from hwinfod.ctl.failures import OK, UNREACHABLE, Failure
from hwinfod.ctl.output import write_json
from hwinfod.ctl.span import parse_span
from hwinfod.ctl.terminal import printable

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.events import EventRecord

_STYLES = {"critical": ("CRIT", "red"), "warning": ("warn", "yellow"), "info": ("info", "dim")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what happens")
    parser.add_argument("--since", type=parse_span, metavar="TIME", help="only the last 15m, 2h, 1d")
    parser.add_argument("--severity", choices=("info", "warning", "critical"), default="info", help="at least this")
    parser.add_argument("--device", default="", metavar="DEVICE", help="only of this device, by name or id")


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    query = {"severity": options.severity}
    if options.device:
        options.device = query["device"] = _device.find_id(client, options.device)
    if options.since is not None:
        query["start"] = str(client.get("/v1/status")["time_seconds"] - options.since)
    document = client.get("/v1/events", query)
    if options.json and not options.follow:
        write_json(terminal, document)
        return OK
    for event in document["events"]:
        _write(event, options, terminal)
    if not options.follow:
        if not document["events"]:
            terminal.write("no events")
        return OK
    terminal.stream.flush()
    rest = {"collector": "daemon", "name": "hwinfod_ring_bytes", "since": str(document["version"])}
    for record in client.lines("/v1/stream", rest):
        if record.get("type") == "event" and _wanted(record, options):
            _write(record, options, terminal)
            terminal.stream.flush()
    raise Failure("the daemon ended the stream", status=UNREACHABLE)


def _wanted(event: EventRecord, options: argparse.Namespace) -> bool:
    order = list(_STYLES)
    return order.index(event["severity"]) <= order.index(options.severity) and options.device in ("", event["device"])


def _write(event: EventRecord, options: argparse.Namespace, terminal: Terminal) -> None:
    if options.json:
        write_json(terminal, event)
        return
    tag, style = _STYLES[event["severity"]]
    times = f" (x{event['count']})" if event["count"] > 1 else ""
    details = "  ".join(f"{name}={value}" for name, value in event["attributes"].items())
    time = units.clock(event["last_seconds"], "%m-%d %H:%M:%S")
    text = printable(f"{event['text']}{times}")
    terminal.write(
        f"{time}  {terminal.paint(tag, style)}  {text}  {terminal.paint(printable(details), 'dim')}".rstrip()
    )
