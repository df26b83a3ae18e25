# SPDX-License-Identifier: MIT
"""The screen of one RDMA device: what it is, its ports, what went wrong on them, who holds its objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.commands import _command_column
from hwinfod.ctl.commands._owner_table import shortened
from hwinfod.ctl.terminal import columns, folded, printable, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire import WireValue
    from hwinfod.wire.rdma import RdmaCount, RdmaDevice, RdmaHolder, RdmaPort, RdmaResources

_TELLING = ("hca_type", "driver", "firmware", "pci", "numa_node", "guid")
_PORT_TELLING = ("link_layer", "netdev", "lid")
_AMOUNTS = {"qps": "QPS", "cqs": "CQS", "mrs": "MRS", "mr_bytes": "MEMORY", "cm_ids": "CM IDS"}
_MOST_PEERS = 3
_OWNER = 2  # the column
_LEAST_NAME = 22  # what an owner's name wants, at the cost of a column


def screen(device: RdmaDevice, resources: RdmaResources, terminal: Terminal, *, wide: bool = False) -> list[str]:
    lines = _wrapped(terminal.paint(printable(device["name"]), "bold"), _facts(device["facts"], _TELLING), terminal)
    for port in device["ports"]:
        lines += ["", *_port(device, port, terminal)]
    return [*lines, "", *_holders(device, resources, terminal, wide=wide)]


def _facts(facts: Mapping[str, str], names: Iterable[str]) -> list[str]:
    return [printable(f"{name} {facts[name]}") for name in names if facts.get(name)]


def _wrapped(title: str, parts: Sequence[str], terminal: Terminal) -> list[str]:
    return [line.rstrip() for line in wrap(f"{title}  ", parts, terminal.width)]


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
    state, rate = state_of(device, port, terminal), link_rate(port["rate_bytes_per_second"])
    told = [state, rate, *_facts(port["facts"], _PORT_TELLING)]
    lines = _wrapped(terminal.paint(f"port {port['port']}", "bold"), told, terminal)
    groups = {"": {"link lost": port["link_transitions"]}, "error": port["errors"]}
    groups |= {"retransmit": port["retransmits"], "congestion": port["congestion"]}
    off = wrap("counters that are off  ", [printable(name) for name in port["counters_off"]], terminal.width)
    lines += [terminal.paint(line, "dim") for line in off] if port["counters_off"] else []
    rows = [
        [f"{kind} {name}".strip(), figure(count["total"]), _hour(count, terminal)]
        for kind, counts in groups.items()
        for name, count in sorted(counts.items())
        if units.number(count["total"])
    ]
    if not rows:
        return [*lines, "no errors since the counters began"]
    head, *body = columns([["WHAT", "SINCE BOOT", "LAST HOUR"], *rows], right=frozenset({1, 2}))
    return [*lines, terminal.paint(head, "dim"), *body]


def _hour(count: RdmaCount, terminal: Terminal) -> str:
    text = figure(count["last_hour"])
    return terminal.paint(text, "red") if units.number(count["last_hour"]) else text


def _holders(device: RdmaDevice, resources: RdmaResources, terminal: Terminal, *, wide: bool) -> list[str]:
    told = [f"{figure(count)} {kind}" for kind, count in device["resources"].items()]
    if resources["age_seconds"] is not None:
        told.append(f"listed {units.duration(resources['age_seconds'])} ago")
    title = _wrapped(terminal.paint("objects", "bold"), told, terminal)
    if resources["age_seconds"] is None:
        return [*title, *folded(_why_unknown(device), terminal.width)]
    if not resources["holders"]:
        return [*title, "nobody in sight holds any"]
    rows = [["PID", "PROCESS", "OWNER", *_AMOUNTS.values(), "PEERS"]]
    rows += [_holder(holder) for holder in resources["holders"]]
    below = _fit(rows, terminal.width)
    for more, holder in zip(below, resources["holders"], strict=True):
        more.extend(_traffic(holder["amounts"]))
    commands = [holder["command_line"] for holder in resources["holders"]]
    head, *table = _command_column.table(rows, commands, terminal, right=frozenset({0, 3, 4, 5, 6, 7}), wide=wide)
    return [*title, terminal.paint(head, "dim"), *with_below(table, below)]


def _why_unknown(device: RdmaDevice) -> str:
    """Why nothing is said of who holds objects."""
    if device["status"] != "present":
        return "who held any is not known any more: the device is lost"
    if not device["resources"]:
        return "who holds any is not known: the kernel's RDMA netlink does not show this device"
    return "who holds any is not known: they were not listed so far; where that lasts, `hwinfoctl collectors` tells"


def _traffic(amounts: Mapping[str, WireValue]) -> list[str]:
    """What counters that an administrator bound have counted: one line, or none."""
    told = {"received": units.number(amounts.get("receive_bytes")), "sent": units.number(amounts.get("transmit_bytes"))}
    parts = [f"{units.size(count)} {done}" for done, count in told.items() if count is not None]
    return [", ".join(parts)] if parts else []


def _fit(rows: list[list[str]], width: int) -> list[list[str]]:
    """Brings the rows down to the width: owners are shortened, and where too little of their names would be left the
    peers stand below the row. Those lines are returned, for each row but the head."""
    below: list[list[str]] = [[] for _ in rows[1:]]
    if _room(rows, width) < min(_LEAST_NAME, max(len(row[_OWNER]) for row in rows)):
        below = move_below(rows, "peers", width)
    room = _room(rows, width)
    for row in rows:
        row[_OWNER] = shortened(row[_OWNER], max(8, room))
    return below


def move_below(rows: list[list[str]], what: str, width: int) -> list[list[str]]:
    """Takes the last column from rows whose first is the head. Returns what stands below each of the others."""
    cells = [row.pop() for row in rows][1:]
    return [folded(f"{what} {cell}", width - 2) if cell else [] for cell in cells]


def with_below(lines: Iterable[str], below: Iterable[list[str]]) -> list[str]:
    """Each line, and indented what stands below it."""
    return [line for first, more in zip(lines, below, strict=True) for line in (first, *(f"  {each}" for each in more))]


def _room(rows: list[list[str]], width: int) -> int:
    """What the other columns leave for names of owners."""
    return width - 2 - max(map(len, columns([[*row[:_OWNER], *row[_OWNER + 1 :]] for row in rows])))


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
