# SPDX-License-Identifier: MIT
"""`hwinfoctl who gpu 3`, `who rdma mlx5_0`, `who pid 4711`: who holds one device, or what one process holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl.commands.owners import remarks, table
from hwinfod.ctl.failures import FAILED, OK, USAGE, Failure
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import printable

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire import DeviceRecord, Owner, Owners


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=("gpu", "rdma", "pid"), metavar="KIND", help="gpu, rdma or pid")
    parser.add_argument("name", metavar="WHICH", help="a GPU's index or UUID, an RDMA device, a process id")


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    if options.kind == "pid":
        return _process(client, options, terminal)
    device = _find(client, options.kind, options.name)
    document: Owners = client.get("/v1/owners")
    ours = [o for o in document["owners"] if any(held["device"] == device["id"] for held in o["devices"])]
    rest = {id_: n for id_, n in document["unattributed_bytes"].items() if id_ == device["id"]}
    found: Owners = {"owners": ours, "unattributed_bytes": rest, "blind": document["blind"]}
    if options.json:
        write_json(terminal, found)
        return OK
    terminal.write(terminal.paint(f"{options.kind} {printable(device['name'])}  {device['id']}", "bold"))
    for line in table(ours, client.get("/v1/status")["time_seconds"], terminal, device["id"]):
        terminal.write(line)
    for line in remarks(found, terminal):
        terminal.write(line)
    return OK


def _find(client: Client, kind: str, name: str) -> DeviceRecord:
    devices: list[DeviceRecord] = client.get("/v1/devices", {"kind": kind})["devices"]
    for device in devices:
        if name in (device["id"], device["name"], device["facts"].get("gpu", "")):
            return device
    known = ", ".join(device["facts"].get("gpu") or device["name"] for device in devices)
    raise Failure(f"no {kind} is called {printable(name)}", f"known: {known}" if known else "there are none", FAILED)


def _process(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    if not options.name.isdigit():
        raise Failure(f"{printable(options.name)} is no process id", "hwinfoctl who pid 4711", USAGE)
    owners: list[Owner] = client.get("/v1/owners")["owners"]
    pid = int(options.name)
    found = [o for o in owners if any(p["pid"] == pid for held in o["devices"] for p in held["processes"])]
    if options.json:
        write_json(terminal, {"owners": found})
        return OK
    if not found:
        raise Failure(f"process {pid} holds no GPU and no RDMA object that we see", "hwinfoctl owners", FAILED)
    for owner in found:
        terminal.write(terminal.paint(f"{printable(owner['owner'])}  {owner['kind']}", "bold"))
        for held in owner["devices"]:
            for process in held["processes"]:
                if process["pid"] == pid:
                    amounts = "  ".join(f"{name}={value:g}" for name, value in process["amounts"].items())
                    terminal.write(f"  {printable(held['name'])}  {printable(process['name'])}  {amounts}")
    return OK
