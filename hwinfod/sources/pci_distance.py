# SPDX-License-Identifier: MIT
"""What lies between two PCI devices, in the words of `nvidia-smi topo -m`.

A device's way to the memory is in its path below /sys/devices: the host bridge (`pci0000:3a`), a root port, and the
two ports of each switch on the way. Source: drivers/pci/probe.c pci_register_host_bridge(), nvml.h
nvmlGpuTopologyLevel_t; Documentation/ABI/testing/sysfs-bus-pci, numa_node.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import IntEnum

from hwinfod.sources.files import read_int
from hwinfod.sources.pci import is_pci_address
from hwinfod.sources.pci_link import find_ends

_HOST_BRIDGE = re.compile(r"pci[0-9a-f]{4,8}:[0-9a-f]{2}\Z")


class Distance(IntEnum):
    """The nearer the less. X: the same device. PIX: one switch between them, or the same card. PXB: several switches.
    PHB: a host bridge. NODE: several host bridges of one NUMA node. SYS: the interconnect of NUMA nodes."""

    X = 0
    PIX = 1
    PXB = 2
    PHB = 3
    NODE = 4
    SYS = 5


@dataclass(frozen=True, slots=True)
class PciPlace:
    """Where a device stands: the host bridge, the ports below it in order, last the device itself; and its NUMA node,
    None where firmware does not tell (a host with one node; most virtual machines)."""

    ancestors: tuple[str, ...]
    numa_node: int | None


def parse_ancestors(path: str) -> tuple[str, ...]:
    """Of a real path below /sys/devices; empty for a device that is not on PCI. What is no PCI name is left out:
    platform devices above a host bridge, and the classes below a function."""
    return tuple(part for part in path.split("/") if is_pci_address(part) or _HOST_BRIDGE.match(part))


def distance(one: PciPlace, other: PciPlace) -> Distance:
    """Between two devices. A NUMA node that is known on one side only is taken for another one: nothing nearer is
    promised than what is known. What is on no PCI bus is as near as its NUMA node."""
    if one.ancestors and one.ancestors == other.ancestors:
        return Distance.X
    shared = _count_shared(one.ancestors, other.ancestors)
    if not shared:
        return Distance.NODE if one.numa_node == other.numa_node else Distance.SYS
    if not is_pci_address(one.ancestors[shared - 1]):
        return Distance.PHB
    # A switch has one port upwards, which they share, and one downwards for each.
    ports = max(len(one.ancestors), len(other.ancestors)) - shared - 1
    return Distance.PIX if ports <= 1 else Distance.PXB


def read_place(directory: str) -> PciPlace:
    """Of the function in a real directory of sysfs. A switch on the device's own card (AMD GPUs, BlueField) is a part
    of the device, and left out."""
    ends = find_ends(directory)
    above = os.path.dirname(directory) if ends is None else ends.far
    node = read_int(os.path.join(directory, "numa_node"))
    return PciPlace((*parse_ancestors(above), os.path.basename(directory)), None if node is None or node < 0 else node)


def _count_shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    for index, (left, right) in enumerate(zip(one, other)):
        if left != right:
            return index
    return min(len(one), len(other))
