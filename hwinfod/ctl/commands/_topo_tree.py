# SPDX-License-Identifier: MIT
"""The tree of `hwinfoctl topo`: NUMA nodes, host bridges, switches, and the devices that hang on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from hwinfod.ctl.terminal import printable

if TYPE_CHECKING:
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.topology import Topology, TopologyBridge, TopologyDevice

_HIDDEN_BRIDGES = frozenset({"root port", "switch port"})  # one way in, one way out: they say nothing
_HIDDEN_DEVICES = frozenset({"display"})
_MOST_DRIVES = 2  # more of them in one place are one line
_STYLES = {"lost": "red", "suspended": "yellow", "passed through": "yellow"}


@dataclass
class _Branch:
    """A bridge, a NUMA node or the host."""

    row: list[str]
    branches: list[_Branch] = field(default_factory=list)
    devices: list[TopologyDevice] = field(default_factory=list)


def tree_rows(document: Topology, terminal: Terminal) -> list[list[str]]:
    """Rows of name, model or kind, PCI address and state."""
    rows: list[list[str]] = []
    for branch in _roots(document):
        rows.append([terminal.paint(branch.row[0], "bold"), *branch.row[1:]])
        rows += _below(branch, "", terminal)
    return rows


def _roots(document: Topology) -> list[_Branch]:
    """One for each NUMA node that has devices, last the one for devices of which firmware says nothing."""
    cpus = {node["numa_node"]: node["cpus"] for node in document["numa_nodes"]}
    bridges = {bridge["id"]: bridge for bridge in document["bridges"]}
    roots: dict[int | None, _Branch] = {}
    branches: dict[tuple[int | None, str], _Branch] = {}
    for device in sorted(document["devices"], key=lambda device: device["pci"]):
        if device["kind"] in _HIDDEN_DEVICES:
            continue
        node = device["numa_node"]
        if node not in roots:
            roots[node] = _Branch([_title(node, cpus)])
        _branch(device["parent"], node, bridges, branches, roots[node]).devices.append(device)
    return [roots[node] for node in sorted(roots, key=lambda node: (node is None, node))]


def _title(node: int | None, cpus: dict[int, str]) -> str:
    if node is None:
        return "NUMA node not told"
    return f"NUMA {node}  cpus {printable(cpus[node])}" if cpus.get(node) else f"NUMA {node}"


def _branch(
    id_: str,
    node: int | None,
    bridges: dict[str, TopologyBridge],
    branches: dict[tuple[int | None, str], _Branch],
    root: _Branch,
) -> _Branch:
    """Where a child of a bridge is shown. What firmware gives to two NUMA nodes is shown in both."""
    bridge = bridges.get(id_)
    if bridge is None:
        return root
    if bridge["kind"] in _HIDDEN_BRIDGES:
        return _branch(bridge["parent"], node, bridges, branches, root)
    key = (node, id_)
    if key not in branches:
        branches[key] = _Branch([f"{bridge['kind']} {id_.removeprefix('pci')}"])
        _branch(bridge["parent"], node, bridges, branches, root).branches.append(branches[key])
    return branches[key]


def _below(branch: _Branch, indent: str, terminal: Terminal) -> list[list[str]]:
    """Devices of a bridge first, then the bridges below it."""
    rows: list[list[str]] = []
    leaves: list[list[str] | _Branch] = [*_leaves(branch.devices, terminal), *branch.branches]
    for number, leaf in enumerate(leaves, 1):
        corner, line = _lines(terminal, is_last=number == len(leaves))
        if isinstance(leaf, _Branch):
            rows.append([terminal.paint(f"{indent}{corner}{leaf.row[0]}", "dim")])
            rows += _below(leaf, indent + line, terminal)
        else:
            rows.append([terminal.paint(indent + corner, "dim") + leaf[0], *leaf[1:]])
    return rows


def _lines(terminal: Terminal, *, is_last: bool) -> tuple[str, str]:
    if terminal.is_tty and terminal.unicode:
        return ("└─ ", "   ") if is_last else ("├─ ", "│  ")
    return ("`- ", "   ") if is_last else ("|- ", "|  ")


def _leaves(devices: list[TopologyDevice], terminal: Terminal) -> list[list[str]]:
    rows: list[list[str]] = []
    for is_drive, group in groupby(devices, key=lambda device: device["kind"] == "nvme"):
        found = list(group)
        if is_drive and len(found) > _MOST_DRIVES:
            first, last = found[0], found[-1]
            rows.append([f"{_name(first)} to {_name(last)}", f"{len(found)} drives", f"{first['pci']} ..."])
        else:
            rows += [_row(device, terminal) for device in found]
    return rows


def _row(device: TopologyDevice, terminal: Terminal) -> list[str]:
    what = device["model"] or (device["kind"] if device["names"] else "")
    if device["virtual_functions"]:
        what += f", {device['virtual_functions']} VFs"
    state = "" if device["status"] == "present" else device["status"].upper()
    return [
        _name(device), printable(what), printable(device["pci"]),
        terminal.paint(state, _STYLES.get(device["status"], "yellow")),
    ]  # fmt: skip


def _name(device: TopologyDevice) -> str:
    return printable(" ".join(device["names"]) or device["kind"])
