# SPDX-License-Identifier: MIT
"""RDMA devices and ports in sysfs: what they are, and what netlink does not tell. Counters: infiniband_counters.

Source: Documentation/ABI/stable/sysfs-class-infiniband, drivers/infiniband/core/sysfs.c.
"""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.errors import ParseError, ReadError
from hwinfod.sources.files import Attribute, link_name, list_directory, read_file, read_int, read_text
from hwinfod.sources.pci import find_pci_directory

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

# A RoCE port has 256 GIDs and soft-RoCE 1024, nearly all empty and each a file; those in use stand in front.
_GID_LIMIT = 64
_EMPTY_GIDS_IN_A_ROW = 8

_RATE = re.compile(rb"\s*(\d+)(?:\.(\d))? Gb/sec(?: \((\d+)X ?(\w*)\))?\s*\Z")
_NUMBERED = re.compile(rb"(\d+): ?([^\n]*)\n?\Z")


class Rate(NamedTuple):
    """`speed` as InfiniBand names it (EDR, HDR, NDR), for Ethernet the same words; `lanes` the link's width."""

    bits_per_second: int
    lanes: int | None
    speed: str


class Gid(NamedTuple):
    """One address of a port, as IPv6. `type` is "IB/RoCE v1" or "RoCE v2"; `interface` the network interface
    that a RoCE address belongs to."""

    position: int
    address: str
    type: str
    interface: str


class PortState(NamedTuple):
    """State and physical state as numbers (nldev.enums has the words)."""

    state: int | None
    physical_state: int | None
    rate: Rate | None


class PortFacts(NamedTuple):
    """What changes rarely. `guid` is the interface part of the first GID, "" where that is empty."""

    link_layer: str
    lid: int | None
    sm_lid: int | None
    guid: str
    gids: tuple[Gid, ...]
    interface: str


@dataclass(frozen=True, slots=True)
class RdmaDevice:
    """One device of the class. `directory` is its real path; `guid` four groups of four digits; `pci_directory`,
    `driver` and `numa_node` those of the PCI function below it, "" and None for software devices; `ports` the
    port numbers; `nodes` the character devices in /dev/infiniband."""

    name: str
    directory: str
    node_type: str
    guid: str
    system_image_guid: str
    description: str
    firmware: str
    hca_type: str
    board_id: str
    pci_directory: str
    driver: str
    numa_node: int | None
    is_virtual_function: bool
    ports: tuple[int, ...]
    nodes: tuple[str, ...]

    @property
    def pci_address(self) -> str:
        return os.path.basename(self.pci_directory)


def parse_numbered(data: bytes) -> tuple[int, str]:
    """ "4: ACTIVE" as number and word. Raises ParseError."""
    match = _NUMBERED.match(data)
    if not match:
        raise ParseError(f"not a number with its word: {data[:40]!r}")
    return int(match[1]), match[2].decode("ascii", "replace").strip()


def parse_rate(data: bytes) -> Rate:
    """ "100 Gb/sec (4X EDR)", "2.5 Gb/sec (1X SDR)". Raises ParseError."""
    match = _RATE.match(data)
    if not match:
        raise ParseError(f"not a rate: {data[:40]!r}")
    bits = int(match[1]) * 1_000_000_000 + int(match[2] or 0) * 100_000_000
    return Rate(bits, int(match[3]) if match[3] else None, (match[4] or b"").decode("ascii", "replace"))


def parse_gid(data: bytes) -> str:
    """ "fe80:0000:...:3456" as an IPv6 address is written, "" for an empty entry. Raises ParseError."""
    try:
        packed = bytes.fromhex(data.strip().replace(b":", b"").decode("ascii"))
    except ValueError:
        raise ParseError(f"not a GID: {data[:60]!r}") from None
    if len(packed) != 16:
        raise ParseError(f"not a GID: {data[:60]!r}")
    return socket.inet_ntop(socket.AF_INET6, packed) if any(packed) else ""


def list_devices(roots: RootPaths) -> list[str]:
    """The names of all RDMA devices that this network namespace sees."""
    return list_directory(roots.sys("class", "infiniband"))


def list_nodes(roots: RootPaths) -> dict[str, list[str]]:
    """Device name to its nodes in /dev/infiniband. A node says itself whose it is: numbers do not run alike."""
    nodes: dict[str, list[str]] = {}
    for subsystem in ("infiniband_verbs", "infiniband_mad"):
        for node in list_directory(roots.sys("class", subsystem)):
            device = read_text(roots.sys("class", subsystem, node, "ibdev"))
            if device:
                nodes.setdefault(device, []).append(node)
    return nodes


def read_device(roots: RootPaths, name: str, nodes: dict[str, list[str]]) -> RdmaDevice | None:
    """The facts of one device; None when it is gone. `nodes` is what `list_nodes` gave."""
    directory = os.path.realpath(roots.sys("class", "infiniband", name))
    node_type = read_text(os.path.join(directory, "node_type"))
    if not node_type:
        return None
    pci = find_pci_directory(os.path.realpath(os.path.join(directory, "device")))
    numa_node = read_int(os.path.join(pci, "numa_node")) if pci else None
    ports = [int(port) for port in list_directory(os.path.join(directory, "ports")) if port.isdecimal()]
    return RdmaDevice(
        name=name,
        directory=directory,
        node_type=node_type.partition(": ")[2] or node_type,
        guid=read_text(os.path.join(directory, "node_guid")),
        system_image_guid=read_text(os.path.join(directory, "sys_image_guid")),
        description=read_text(os.path.join(directory, "node_desc")),
        firmware=read_text(os.path.join(directory, "fw_ver")),
        hca_type=read_text(os.path.join(directory, "hca_type")),
        board_id=read_text(os.path.join(directory, "board_id")),
        pci_directory=pci,
        driver=link_name(os.path.join(pci, "driver")) if pci else "",
        numa_node=None if numa_node is None or numa_node < 0 else numa_node,
        is_virtual_function=bool(pci) and os.path.lexists(os.path.join(pci, "physfn")),
        ports=tuple(sorted(ports)),
        nodes=tuple(nodes.get(name, ())),
    )


def read_port_facts(device: RdmaDevice, port: int) -> PortFacts:
    """What a port is; a fact that cannot be read is "" or None."""
    directory = os.path.join(device.directory, "ports", str(port))
    gids = read_gids(directory)
    return PortFacts(
        link_layer=read_text(os.path.join(directory, "link_layer")),
        lid=_lid(read_int(os.path.join(directory, "lid"))),
        sm_lid=_lid(read_int(os.path.join(directory, "sm_lid"))),
        guid=_port_guid(directory),
        gids=gids,
        interface=next((gid.interface for gid in gids if gid.interface), "") or _pci_interface(device, port),
    )


def read_gids(port_directory: str) -> tuple[Gid, ...]:
    """The GIDs in use at the head of a port's table; the table's long empty rest is not read."""
    gids = []
    empty = 0
    for index in range(_GID_LIMIT):
        try:
            address = parse_gid(read_file(os.path.join(port_directory, "gids", str(index)), 128))
        except (ReadError, ParseError):
            break
        if not address:
            empty += 1
            if empty == _EMPTY_GIDS_IN_A_ROW:
                break
            continue
        empty = 0
        attributes = os.path.join(port_directory, "gid_attrs")
        type_ = read_text(os.path.join(attributes, "types", str(index)))
        gids.append(Gid(index, address, type_, read_text(os.path.join(attributes, "ndevs", str(index)))))
    return tuple(gids)


def _port_guid(port_directory: str) -> str:
    """The lower half of GID 0, which InfiniBand makes from the port's GUID."""
    text = read_text(os.path.join(port_directory, "gids", "0"))
    guid = text[20:]
    return guid if len(text) == 39 and guid.strip("0:") else ""


def _lid(value: int | None) -> int | None:
    """A LID, None for the 0 that Ethernet ports have."""
    return value or None


def _pci_interface(device: RdmaDevice, port: int) -> str:
    """The network interface of the same PCI function and port: InfiniBand ports have no interface in a GID.

    Source: Documentation/ABI/testing/sysfs-class-net, dev_port (counts from 0).
    """
    if not device.pci_directory:
        return ""
    directory = os.path.join(device.pci_directory, "net")
    names = list_directory(directory)
    for name in names:
        if read_int(os.path.join(directory, name, "dev_port")) == port - 1:
            return name
    return names[0] if len(names) == 1 else ""


def is_interface_of(roots: RootPaths, interface: str, device: RdmaDevice) -> bool:
    """Whether an interface that our network namespace has is of the PCI function of a device."""
    if not interface or not device.pci_directory:
        return False
    return _pci_directory_of(roots, interface) == device.pci_directory


def list_carriers(roots: RootPaths, interface: str, device: RdmaDevice) -> tuple[str, ...]:
    """The interfaces whose drivers count the traffic of a RoCE port: its own, or the parts of a bond, which has no
    statistics of its own. A card that bonds its functions itself has one RDMA device for them, whose port names the
    bond or one part. The traffic of a part that has an RDMA device to itself is that one's.

    Source: Documentation/networking/bonding.rst (bonding/slaves); drivers/net/ethernet/mellanox/mlx5/core/lag/lag.c.
    """
    parts = _bonded(roots, interface)
    if device.pci_directory:
        parts = parts or _bonded(roots, link_name(roots.sys("class", "net", interface, "master")))
        parts = [part for part in parts if part == interface or _carries(roots, part, device)]
    return tuple(parts) or (interface,)


def _pci_directory_of(roots: RootPaths, interface: str) -> str:
    return find_pci_directory(os.path.realpath(roots.sys("class", "net", interface, "device")))


def _bonded(roots: RootPaths, interface: str) -> list[str]:
    return read_text(roots.sys("class", "net", interface, "bonding", "slaves")).split() if interface else []


def _carries(roots: RootPaths, part: str, device: RdmaDevice) -> bool:
    """Whether a part of a bond is on the same card and has no other RDMA device."""
    pci = _pci_directory_of(roots, part)
    rdma = list_directory(os.path.join(pci, "infiniband")) if pci else []
    is_same_card = pci.rpartition(".")[0] == device.pci_directory.rpartition(".")[0]
    return is_same_card and (not rdma or device.name in rdma)


class PortFiles:
    """State and rate of one port, read every second."""

    __slots__ = ("_physical_state", "_rate", "_state")

    def __init__(self, device: RdmaDevice, port: int) -> None:
        directory = os.path.join(device.directory, "ports", str(port))
        self._state = Attribute(os.path.join(directory, "state"))
        self._physical_state = Attribute(os.path.join(directory, "phys_state"))
        self._rate = Attribute(os.path.join(directory, "rate"))

    def read(self) -> PortState:
        """State, physical state and rate; None for what this driver does not tell."""
        return PortState(_number(self._state), _number(self._physical_state), self.read_rate())

    def read_rate(self) -> Rate | None:
        try:
            return parse_rate(self._rate.read())
        except (ReadError, ParseError):
            return None


def _number(file: Attribute) -> int | None:
    try:
        return parse_numbered(file.read())[0]
    except (ReadError, ParseError):
        return None
