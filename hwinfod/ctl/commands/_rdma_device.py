# SPDX-License-Identifier: MIT
"""The screen of one RDMA device: what it is, its ports, what went wrong on them, who holds its objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.terminal import columns, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire import RdmaCount, RdmaDevice, RdmaHolder, RdmaPort, RdmaResources, WireValue

_TELLING = ("hca_type", "driver", "firmware", "pci", "numa_node", "guid")
_PORT_TELLING = ("link_layer", "netdev", "lid")
_AMOUNTS = {"qps": "QPS", "cqs": "CQS", "mrs": "MRS", "mr_bytes": "MEMORY", "cm_ids": "CM IDS"}
_MOST_PEERS = 3


def screen(device: RdmaDevice, resources: RdmaResources, terminal: Terminal) -> list[str]:
    facts = "  ".join(f"{name} {device['facts'][name]}" for name in _TELLING if device["facts"].get(name))
    lines = [f"{terminal.paint(printable(device['name']), 'bold')}  {printable(facts)}".rstrip()]
    for port in device["ports"]:
        lines += ["", *_port(device, port, terminal)]
    return [*lines, "", *_holders(device, resources, terminal)]


def link_rate(value: WireValue) -> str:
    """As cards are sold: bits a second, in tens."""
    number = units.number(value)
    return "-" if number is None else units.decimal(number * 8, "b/s")


def figure(value: WireValue) -> str:
    """A count, "-" where it is not known."""
    number = units.number(value)
    return "-" if number is None else units.quantity(number, "")


def sum_of(counts: Iterable[RdmaCount]) -> RdmaCount:
    """All together; of what is not known nothing is added, and of nothing known nothing is said."""
    listed = list(counts)
    totals = [n for count in listed if (n := units.number(count["total"])) is not None]
    hours = [n for count in listed if (n := units.number(count["last_hour"])) is not None]
    return {"total": sum(totals) if totals else None, "last_hour": sum(hours) if hours else None}


def state_of(device: RdmaDevice, port: RdmaPort, terminal: Terminal) -> str:
    """The port's state, with the physical one where that says why; a device that left says so."""
    if device["status"] != "present" or port["status"] != "present":
        return terminal.paint("lost", "red")
    if port["up"]:
        return terminal.paint(port["state"] or "active", "green")
    why = f" ({port['physical_state']})" if port["physical_state"] else ""
    return terminal.paint(f"{port['state'] or 'unknown'}{why}", "red")


def _port(device: RdmaDevice, port: RdmaPort, terminal: Terminal) -> list[str]:
    facts = "  ".join(f"{name} {port['facts'][name]}" for name in _PORT_TELLING if port["facts"].get(name))
    title = terminal.paint(f"port {port['port']}", "bold")
    state, rate = state_of(device, port, terminal), link_rate(port["rate_bytes_per_second"])
    line = f"{title}  {state}  {rate}  {printable(facts)}".rstrip()
    groups = {"": {"link lost": port["link_transitions"]}, "error": port["errors"]}
    groups |= {"retransmit": port["retransmits"], "congestion": port["congestion"]}
    rows = [
        [f"{kind} {name}".strip(), figure(count["total"]), _hour(count, terminal)]
        for kind, counts in groups.items()
        for name, count in sorted(counts.items())
        if units.number(count["total"])
    ]
    if not rows:
        return [line, "no errors since the counters began"]
    head, *body = columns([["WHAT", "SINCE BOOT", "LAST HOUR"], *rows], right=frozenset({1, 2}))
    return [line, terminal.paint(head, "dim"), *body]


def _hour(count: RdmaCount, terminal: Terminal) -> str:
    text = figure(count["last_hour"])
    return terminal.paint(text, "red") if units.number(count["last_hour"]) else text


def _holders(device: RdmaDevice, resources: RdmaResources, terminal: Terminal) -> list[str]:
    totals = ", ".join(f"{figure(count)} {kind}" for kind, count in device["resources"].items())
    title = terminal.paint("objects", "bold") + (f"  {totals}" if totals else "")
    if resources["age_seconds"] is not None:
        title += f"  listed {units.duration(resources['age_seconds'])} ago"
    if not resources["holders"]:
        return [title, "nobody in sight holds any"]
    rows = [["PID", "PROCESS", "OWNER", *_AMOUNTS.values(), "PEERS"]]
    rows += [_holder(holder) for holder in resources["holders"]]
    head, *body = columns(rows, right=frozenset({0, 3, 4, 5, 6, 7}))
    return [title, terminal.paint(head, "dim"), *body]


def _holder(holder: RdmaHolder) -> list[str]:
    peers = holder["peers"][:_MOST_PEERS]
    more = len(holder["peers"]) - len(peers)
    amounts = {name: units.number(holder["amounts"].get(name)) for name in _AMOUNTS}
    return [
        str(holder["pid"]) if holder["pid"] else "-",
        printable(f"[{holder['kernel']}]" if holder["kernel"] else holder["process"] or "-"),
        printable("kernel" if holder["kernel"] else holder["owner"] or "-"),
        *(
            "-" if amount is None else units.quantity(amount, "bytes" if name == "mr_bytes" else "")
            for name, amount in amounts.items()
        ),
        printable(" ".join([*peers, *([f"+{more}"] if more else [])])),
    ]
