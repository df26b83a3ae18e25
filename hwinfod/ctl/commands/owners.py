# SPDX-License-Identifier: MIT
"""`hwinfoctl owners`: who was given and who holds GPUs and RDMA devices, the largest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl.commands._owner_remarks import remarks
from hwinfod.ctl.commands._owner_table import table
from hwinfod.ctl.failures import OK
from hwinfod.ctl.output import write_json

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.owners import Owner, Owners

_ORDERS = {"gpu-memory": "memory_bytes", "gpu-utilization": "utilization_ratio", "qps": "qps", "mr-bytes": "mr_bytes"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sort", choices=tuple(_ORDERS), default="gpu-memory", help="the most of what first")


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    document: Owners = client.get("/v1/owners")
    if options.json:
        write_json(terminal, document)
        return OK
    amount = _ORDERS[options.sort]
    ordered = sorted(document["owners"], key=lambda owner: -_total(owner, amount))
    gpus = {d["id"]: d["facts"].get("gpu", "") for d in client.get("/v1/devices", {"kind": "gpu"})["devices"]}
    rest = {gpus.get(id_) or id_: amount for id_, amount in document["unattributed_bytes"].items()}
    for line in table(ordered, client.get("/v1/status")["time_seconds"], terminal, rest=rest):
        terminal.write(line)
    idle = sum(not owner["devices"] and bool(owner["nodes"]) for owner in document["owners"])
    if idle:
        terminal.write(f"device nodes are open at {idle} more, who hold nothing: hwinfoctl holders")
    for line in remarks(document, terminal):
        terminal.write(line)
    return OK


def _total(owner: Owner, amount: str) -> float:
    return sum(held["amounts"].get(amount, 0) for held in owner["devices"])
