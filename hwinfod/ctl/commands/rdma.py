# SPDX-License-Identifier: MIT
"""`hwinfoctl rdma [DEVICE]`: every port on a line, or one device with its errors and who holds what of it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from hwinfod.ctl import units
from hwinfod.ctl.commands import _command_column, _rdma_device
from hwinfod.ctl.failures import OK, naming
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, printable, visible_length

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.rdma import RdmaCount, RdmaDevice, RdmaDevices, RdmaPort, RdmaResources
    from hwinfod.wire.samples import SeriesHistory

_SECONDS = 10
_MOST_HOLDERS = 3
_RECEIVE, _TRANSMIT = "hw_rdma_port_receive_bytes_total", "hw_rdma_port_transmit_bytes_total"

Rates = dict[tuple[str, str], float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", nargs="?", default="", metavar="DEVICE", help="one device: mlx5_0, or its id")
    _command_column.add_arguments(parser)


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    if options.device:
        path = f"/v1/rdma/{quote(options.device, safe='')}"
        with naming(f"rdma {options.device}"):
            device: RdmaDevice = client.get(path)
            resources: RdmaResources = client.get(f"{path}/resources", _command_column.QUERY)
        if options.json:
            write_json(terminal, {**device, "holders": resources})
        else:
            for line in _rdma_device.screen(device, resources, terminal, wide=options.wide):
                terminal.write(line)
        return OK
    document: RdmaDevices = client.get("/v1/rdma")
    if options.json:
        write_json(terminal, document)
        return OK
    for line in _lines(client, document, terminal):
        terminal.write(line)
    return OK


def _lines(client: Client, document: RdmaDevices, terminal: Terminal) -> list[str]:
    if not document["devices"]:
        return ["no RDMA devices"]
    received, sent = _rates(client, _RECEIVE), _rates(client, _TRANSMIT)
    rows = [["PORT", "STATE", "RATE", "RECEIVE", "TRANSMIT", "ERRORS", "1H", "LOST", "1H", "QPS", "HELD BY"]]
    for device in document["devices"]:
        held = _held(client, device) if device["status"] == "present" else ""
        rows += [_row(device, port, received, sent, held, terminal) for port in device["ports"]]
    right = frozenset({2, 3, 4, 5, 6, 7, 8, 9})
    below: list[list[str]] = [[] for _ in rows[1:]]
    if max(map(visible_length, columns(rows, right=right))) > terminal.width:
        below = _rdma_device.move_below(rows, "held by", terminal.width)
    head, *body = columns(rows, right=right)
    lines = [terminal.paint(head, "dim"), *_rdma_device.with_below(body, below)]
    if document["netns_mode"] == "exclusive":
        lines.append("network namespaces have devices of their own: one that moved into a container is not seen here")
    return lines


def _row(device: RdmaDevice, port: RdmaPort, received: Rates, sent: Rates, held: str, terminal: Terminal) -> list[str]:
    key = (device["name"], str(port["port"]))
    errors, losses = _rdma_device.sum_of(port["errors"].values()), port["link_transitions"]
    qps = units.number(device["resources"].get("qp"))
    return [
        printable(f"{device['name']}/{port['port']}"),
        _rdma_device.state_of(device, port, terminal),
        _rdma_device.link_rate(port["rate_bytes_per_second"]),
        *(units.rate(rates[key], "bytes") if key in rates else "-" for rates in (received, sent)),
        *_counted(errors, terminal),
        *_counted(losses, terminal),
        "-" if qps is None else units.short(qps),
        printable(held),
    ]


def _counted(count: RdmaCount, terminal: Terminal) -> list[str]:
    """Since it began, and in the last hour: red where that is not nothing."""
    total, hour = _rdma_device.figure(count["total"]), _rdma_device.figure(count["last_hour"])
    return [total, terminal.paint(hour, "red") if units.number(count["last_hour"]) else hour]


def _rates(client: Client, metric: str) -> Rates:
    """Bytes a second over the last ten seconds, by device and port; cards without that counter have none."""
    now = client.get("/v1/status")["time_seconds"]
    query = {"name": metric, "start": str(now - _SECONDS), "end": str(now), "step": str(_SECONDS)}
    history: SeriesHistory = client.get("/v1/series", query)
    rates = {}
    for series in history["series"]:
        mean = units.number(series["points"][-1][2]) if series["points"] else None
        if mean is not None:
            rates[(series["labels"]["device"], series["labels"]["port"])] = mean
    return rates


def _held(client: Client, device: RdmaDevice) -> str:
    """Who has queue pairs, the one with most first."""
    resources: RdmaResources = client.get(f"/v1/rdma/{quote(device['id'], safe='')}/resources")
    counts: dict[str, float] = {}
    for holder in resources["holders"]:
        qps = units.number(holder["amounts"].get("qps"))
        if qps and not holder["kernel"]:
            name = holder["owner"] or holder["process"] or f"pid {holder['pid']}"
            counts[name] = counts.get(name, 0) + qps
    names = sorted(counts, key=lambda name: (-counts[name], name))
    parts = [f"{name} {units.short(counts[name])}" for name in names[:_MOST_HOLDERS]]
    rest = len(names) - len(parts)
    return ", ".join([*parts, *([f"{rest} more"] if rest else [])])
