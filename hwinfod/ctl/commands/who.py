# SPDX-License-Identifier: MIT
"""`hwinfoctl who gpu 3`, `who rdma mlx5_0`, `who pid 4711`: who holds a device; whose a process is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.commands._command_column import QUERY
from hwinfod.ctl.commands._owner_remarks import remarks
from hwinfod.ctl.commands._owner_table import node_names, table
from hwinfod.ctl.failures import FAILED, OK, USAGE, Failure
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, folded, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.devices import DeviceRecord
    from hwinfod.wire.owners import Owner, Owners, Process, ProcessDevice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=("gpu", "rdma", "pid"), metavar="KIND", help="gpu, rdma or pid")
    parser.add_argument(
        "name", metavar="WHICH", help="a GPU's index, UUID or PCI address, an RDMA device, a process id"
    )


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    if options.kind == "pid":
        return _process(client, options, terminal)
    device = _find(client, options.kind, options.name)
    path = "/v1/gpus" if options.kind == "gpu" else "/v1/rdma"
    document: Owners = client.get(f"{path}/{device['id'] if options.kind == 'gpu' else device['name']}/owners")
    if options.json:
        write_json(terminal, document)
        return OK
    terminal.write(terminal.paint(f"{options.kind} {printable(device['name'])}  {printable(device['id'])}", "bold"))
    holding = [o for o in document["owners"] if _has(o, device["id"])]
    holding.sort(key=lambda owner: -_held(owner, device["id"]))
    rest = {device["facts"].get("gpu") or device["name"]: document["unattributed_bytes"].get(device["id"], 0)}
    for line in table(holding, client.get("/v1/status")["time_seconds"], terminal, device=device["id"], rest=rest):
        terminal.write(line)
    openers = [n for owner in document["owners"] for n in owner["nodes"] if device["id"] in n["devices"]]
    for line in remarks(document, terminal, openers):
        terminal.write(line)
    return OK


def _has(owner: Owner, device: str) -> bool:
    """Whether an owner holds a device or was given it."""
    return any(each["device"] == device for each in (*owner["devices"], *owner["allocated"]))


def _held(owner: Owner, device: str) -> float:
    """What a device's owners are sorted by: memory, or queue pairs."""
    amounts: Mapping[str, float] = next((h["amounts"] for h in owner["devices"] if h["device"] == device), {})
    return amounts.get("memory_bytes", amounts.get("qps", 0))


def _find(client: Client, kind: str, name: str) -> DeviceRecord:
    devices: list[DeviceRecord] = client.get("/v1/devices", {"kind": kind})["devices"]
    for device in devices:
        if name in (device["id"], device["name"], device["facts"].get("gpu"), device["facts"].get("pci")):
            return device
    names = [device["facts"].get("gpu") or device["name"] for device in devices]
    known = ", ".join(sorted(names, key=units.natural))
    what = {"gpu": "GPU", "rdma": "RDMA device"}[kind]
    raise Failure(f"no {what} is called {printable(name)}", f"known: {known}" if known else "there are none", FAILED)


def _process(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    if not (options.name.isascii() and options.name.isdigit()):
        raise Failure(f"{printable(options.name)} is no process id", "hwinfoctl who pid 4711", USAGE)
    process: Process = client.get(f"/v1/processes/{options.name}", QUERY)
    if options.json:
        write_json(terminal, process)
        return OK
    now = client.get("/v1/status")["time_seconds"]
    terminal.write(terminal.paint(f"{printable(process['owner'])}  {process['kind']}", "bold"))
    for line in _told(process, now, terminal.width - 2):
        terminal.write(f"  {line}")
    return OK


def _told(process: Process, now: float, width: int) -> Iterator[str]:
    """What it is, whose it is beyond the name, what it holds, and how it was started."""
    user = f"{process['user']} ({process['uid']})" if process["user"] else str(process["uid"])
    age = units.duration(max(0.0, now - process["since_seconds"]))
    identity = "  ".join(f"{name} {value}" for name, value in process["identity"].items())
    said = {
        "process": f"{process['name']}  pid {process['pid']}  user {user}  for {age}",
        "identity": identity,
        "cgroup": process["cgroup"],
    }
    for name, text in said.items():
        yield from folded(f"{name}  {printable(text)}", width) if text else ()
    for conflict in process["conflicts"]:
        yield from folded(f"conflict  {printable(conflict)}", width)
    rows = [[f"{held['kind']} {printable(held['name'])}", _amounts(held)] for held in process["devices"]]
    rows += [["open", node_names(process["nodes"])]] if process["nodes"] else []
    yield from columns(rows) or ["holds no GPU and no RDMA object that we see"]
    command = process["command_line"]
    yield from folded(f"command  {printable(command)}", width) if command else ()


def _amounts(held: ProcessDevice) -> str:
    return ", ".join(_amount(name, value) for name, value in held["amounts"].items() if value)


def _amount(name: str, value: float) -> str:
    for unit in ("bytes", "ratio", "seconds"):
        if name.endswith(f"_{unit}"):
            return f"{name.removesuffix(f'_{unit}').replace('_', ' ')} {units.quantity(value, unit)}"
    return f"{value:.0f} {name.replace('_', ' ')}"
