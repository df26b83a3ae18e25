# SPDX-License-Identifier: MIT
"""`hwinfoctl owners`: who holds GPUs and RDMA devices, the largest first."""

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
    from hwinfod.wire import Owner, OwnerDevice, Owners

_ORDERS = {"gpu-memory": "memory_bytes", "gpu-utilization": "utilization_ratio", "qps": "qps"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sort", choices=tuple(_ORDERS), default="gpu-memory", help="the most of what first")


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    document: Owners = client.get("/v1/owners")
    if options.json:
        write_json(terminal, document)
        return OK
    amount = _ORDERS[options.sort]
    ordered = sorted(document["owners"], key=lambda owner: -sum(d["amounts"].get(amount, 0) for d in owner["devices"]))
    for line in table(ordered, client.get("/v1/status")["time_seconds"], terminal):
        terminal.write(line)
    for line in remarks(document, terminal):
        terminal.write(line)
    return OK


def table(owners: list[Owner], now: float, terminal: Terminal, device: str = "") -> list[str]:
    """A row for each owner and device; only of `device`, where one is named."""
    rows = [["OWNER", "KIND", "DEVICE", "MEMORY", "UTIL", "PROC", "SINCE", "RDMA"]]
    for owner in owners:
        rows += [_row(owner, held, now) for held in owner["devices"] if device in ("", held["device"])]
    if len(rows) == 1:
        return ["nobody in sight"]
    head, *body = columns(rows, right=frozenset({3, 4, 5, 6}))
    return [terminal.paint(head, "dim"), *body]


def _row(owner: Owner, held: OwnerDevice, now: float) -> list[str]:
    amounts = held["amounts"]
    memory, ratio, since = amounts.get("memory_bytes"), amounts.get("utilization_ratio"), owner["since_seconds"]
    objects = [f"{amounts[name]:.0f} {word}" for name, word in (("qps", "QP"), ("mrs", "MR")) if amounts.get(name)]
    return [
        printable(owner["owner"]),
        owner["kind"],
        printable(held["name"]),
        "-" if memory is None else units.size(memory),
        "-" if ratio is None else f"{ratio * 100:.0f} %",
        str(len(held["processes"])) if held["processes"] else "-",
        "-" if since is None else units.duration(max(0.0, now - since)),
        " ".join(objects) or "-",
    ]


def remarks(document: Owners, terminal: Terminal) -> list[str]:
    """What nobody in sight holds, and why somebody may be out of sight."""
    lines = [
        f"unattributed on {printable(device)}: {units.size(rest)} (the driver's own, or processes that were not seen)"
        for device, rest in document["unattributed_bytes"].items()
        if rest
    ]
    return [*lines, *(terminal.paint(printable(reason), "yellow") for reason in document["blind"])]
