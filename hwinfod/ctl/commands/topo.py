# SPDX-License-Identifier: MIT
"""`hwinfoctl topo`: where GPUs, network cards and drives stand, and what lies between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl.commands._topo_tree import tree_rows
from hwinfod.ctl.failures import OK
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, printable, wrap

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.topology import Topology, TopologyDevice, TopologyLink

_LINKS = {"nvlink": "NV", "xgmi": "XGMI"}
_HERE = frozenset({"present", "suspended"})
# In the order of nearness: what each word means, and how it looks.
_WORDS = {
    "X": ("itself", "dim"),
    "NV": ("so many NVLinks", "cyan"),
    "XGMI": ("Infinity Fabric", "cyan"),
    "PIX": ("one PCIe switch", "green"),
    "PXB": ("several switches", "green"),
    "PHB": ("one host bridge", "yellow"),
    "NODE": ("one NUMA node", "yellow"),
    "SYS": ("between NUMA nodes", "red"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    document: Topology = client.get("/v1/topology")
    if options.json:
        write_json(terminal, document)
        return OK
    for line in _lines(document, terminal):
        terminal.write(line)
    return OK


def _lines(document: Topology, terminal: Terminal) -> list[str]:
    if not document["devices"]:
        return ["no GPUs, network cards or drives on a PCI bus"]
    lines = columns(tree_rows(document, terminal))
    here = [device for device in document["devices"] if device["status"] in _HERE]
    gpus = [device for device in here if device["id"] in document["paths"] and device["names"]]
    if not gpus:
        return lines
    others = [device for device in here if device["kind"] == "network"]
    words = {(gpu["id"], device["id"]): _word(document, gpu, device) for gpu in gpus for device in (*gpus, *others)}
    rows = [["", *(_title(gpu) for gpu in gpus), "NUMA"]]
    for device in (*gpus, *others):
        node = device["numa_node"]
        cells = [_paint(words[gpu["id"], device["id"]], terminal) for gpu in gpus]
        rows.append([_title(device), *cells, "-" if node is None else str(node)])
    head, *body = columns(rows, right=frozenset(range(1, len(gpus) + 2)))
    return [*lines, "", terminal.paint(head, "dim"), *body, "", *_legend(set(words.values()), terminal)]


def _title(device: TopologyDevice) -> str:
    name = device["names"][0] if device["names"] else device["pci"]
    return printable(name.replace("gpu ", "GPU") if device["kind"] == "gpu" else name)


def _word(document: Topology, gpu: TopologyDevice, device: TopologyDevice) -> str:
    """A link of their own, or the way over PCI Express; - where one of them is on none."""
    for link in document["links"]:
        if set(link["ends"]) == {gpu["id"], device["id"]}:
            return _link_word(link)
    return document["paths"][gpu["id"]].get(device["id"], "-")


def _link_word(link: TopologyLink) -> str:
    return _LINKS[link["kind"]] + ("" if link["links"] is None else str(link["links"]))


def _paint(word: str, terminal: Terminal) -> str:
    known = _WORDS.get(word.rstrip("0123456789"))
    return word if known is None else terminal.paint(word, known[1])


def _legend(words: Iterable[str], terminal: Terminal) -> list[str]:
    """Of the words that are on the screen."""
    used = {word.rstrip("0123456789") for word in words}
    parts = [f"{word} {meaning}" for word, (meaning, _) in _WORDS.items() if word in used]
    return [terminal.paint(line, "dim") for line in wrap("", parts, terminal.width)]
