# SPDX-License-Identifier: MIT
"""What is said below a table of owners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.commands._owner_table import node_names, spans
from hwinfod.ctl.terminal import folded, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.owners import OpenNodes, Owner, Owners

_IDLE_SECONDS = 600  # a GPU that was given and rests between two steps of work needs no line


def remarks(document: Owners, terminal: Terminal, openers: Iterable[OpenNodes] = ()) -> list[str]:
    """What was told twice, who of `openers` holds nothing, what is wrong, and why somebody may be out of sight."""
    lines = [line for said in (*_told_twice(document), *_idle_nodes(openers)) for line in folded(said, terminal.width)]
    wrong = [*_disputes(document), *document["blind"]]
    lines += [terminal.paint(line, "yellow") for said in wrong for line in folded(printable(said), terminal.width)]
    return lines


def _told_twice(document: Owners) -> Iterator[str]:
    for device, rest in document["overstated_bytes"].items():
        yield f"told twice on {printable(device)}: {units.size(rest)} that processes share, taken off in proportion"


def _idle_nodes(openers: Iterable[OpenNodes]) -> Iterator[str]:
    """Who has nodes open and holds nothing behind them, an owner a line."""
    found: dict[str, list[OpenNodes]] = {}
    for opener in openers:
        if opener["memory_bytes"] is None:
            found.setdefault(opener["owner"], []).append(opener)
    for owner, idle in found.items():
        processes = ", ".join(dict.fromkeys(printable(opener["process"]) for opener in idle))
        nodes = node_names({node for opener in idle for node in opener["nodes"]})
        yield f"open, and holds nothing: {printable(owner)} ({processes}) {nodes}"


def _disputes(document: Owners) -> Iterator[str]:
    for owner in document["owners"]:
        yield from (f"{owner['owner']}: {conflict}" for conflict in owner["conflicts"])
    for owner in document["owners"]:
        yield from (*idle_gpus(owner), *_detours(owner))


def idle_gpus(owner: Owner) -> Iterator[str]:
    """GPUs that were given and are not used, those of about the same time together."""
    found: dict[str, list[str]] = {}
    for given in owner["allocated"]:
        if (given["idle_seconds"] or 0) >= _IDLE_SECONDS:
            found.setdefault(units.duration(given["idle_seconds"] or 0), []).append(given["name"].partition(" ")[0])
    for time, names in found.items():
        yield f"gpu {spans(dict.fromkeys(names))} allocated to {owner['owner']} but idle {time}"


def _detours(owner: Owner) -> Iterator[str]:
    """GPUs that reach the network over a longer way than there is."""
    for one in owner["placement"]:
        if one["nearer_idle"]:
            used, idle = _ways(one["rdma"]), _ways(one["nearer_idle"])
            yield f"{owner['owner']}: gpu {one['gpu']} goes to {used} while {idle} stands idle"


def _ways(ways: dict[str, str]) -> str:
    return " ".join(f"{name} ({way})" for name, way in ways.items())
