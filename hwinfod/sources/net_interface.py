# SPDX-License-Identifier: MIT
"""Network interfaces: what kind each is, its facts and the state of its link.

Source: Documentation/ABI/testing/sysfs-class-net, net/core/net-sysfs.c. `speed` and `duplex` ask the driver under
rtnl_lock and can wait for firmware; `operstate` and `carrier_changes` are memory.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.sources.files import (
    Attribute,
    link_name,
    list_directory,
    read_file,
    read_int,
    read_optional,
    read_text,
)
from hwinfod.sources.pci import find_pci_directory

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

# IF_OPER_* in their order: include/uapi/linux/if.h, RFC 2863.
OPERSTATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")

_ARPHRD_LOOPBACK = 772  # include/uapi/linux/if_arp.h
_IFF_UP = 1
_SPEED_UNKNOWN = 0xFFFFFFFF  # SPEED_UNKNOWN is -1, printed unsigned by some drivers' kernels
_BYTES_PER_MEGABIT = 125_000
# A port of a switch inside the card that stands for a function given away: Documentation/networking/switchdev.rst.
_REPRESENTOR = re.compile(r"(?:c\d+)?pf\d+(?:vf|sf)\d+\Z")
_SUBFUNCTION = re.compile(r".+\.sf\.\d+\Z")
_DEVTYPES = frozenset({"bond", "bridge", "vlan", "vxlan", "macvlan", "wlan", "wwan", "geneve", "dsa", "ppp"})


@dataclass(frozen=True, slots=True)
class Interface:
    """The facts of one interface; "" or None where it has none.

    `kind` is `physical` (hardware, and what a hypervisor gives as such), `vf` (a virtual function), `subfunction`,
    `representor`, `loopback`, the kernel's own word for the type (`bond`, `bridge`, `vlan`...) or `virtual`.
    `index` is the kernel's number, new when the interface comes back; `device` the directory of the hardware.
    """

    name: str
    index: int | None
    kind: str
    address: str
    mtu_bytes: int | None
    driver: str
    device: str
    pci_address: str
    numa_node: int | None
    port: int
    master: str

    @property
    def is_physical(self) -> bool:
        return self.kind == "physical"


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What was negotiated; None while the link is down or where there is no such thing."""

    bytes_per_second: int | None
    duplex: str | None


class LinkState:
    """Whether the link of one interface is up, read every tick."""

    __slots__ = ("_changes", "_operstate")

    def __init__(self, roots: RootPaths, name: str) -> None:
        self._operstate = Attribute(roots.sys("class/net", name, "operstate"))
        self._changes = Attribute(roots.sys("class/net", name, "carrier_changes"))

    def read(self) -> tuple[str, int | None]:
        """One of OPERSTATES, and how often the carrier came or went. Raises ReadError where it is gone."""
        return _operstate(self._operstate.read()), self._changes.read_int()

    def close(self) -> None:
        self._operstate.close()
        self._changes.close()


def read_state(roots: RootPaths, name: str) -> tuple[str, int | None]:
    """As LinkState, for interfaces that are read seldom. Raises ReadError where it is gone."""
    directory = roots.sys("class/net", name)
    operstate = _operstate(read_file(os.path.join(directory, "operstate")))
    return operstate, read_int(os.path.join(directory, "carrier_changes"))


def list_interfaces(roots: RootPaths) -> list[str]:
    """The names; `bonding_masters` stands among them and is a file of the bonding driver."""
    base = roots.sys("class/net")
    return [name for name in list_directory(base) if os.path.isdir(os.path.join(base, name))]


def read_interface(roots: RootPaths, name: str) -> Interface:
    """The facts of one interface. What cannot be read is missing; nothing is raised."""
    directory = roots.sys("class/net", name)
    device = os.path.realpath(os.path.join(directory, "device"))
    if not os.path.isdir(device):
        device = ""
    pci = find_pci_directory(device)
    numa_node = read_int(os.path.join(pci, "numa_node")) if pci else None
    return Interface(
        name=name,
        index=read_int(os.path.join(directory, "ifindex")),
        kind=_read_kind(directory, device),
        address=read_text(os.path.join(directory, "address")),
        mtu_bytes=read_int(os.path.join(directory, "mtu")),
        driver=link_name(os.path.join(device, "driver")) if device else "",
        device=device,
        pci_address=os.path.basename(pci),
        numa_node=None if numa_node is None or numa_node < 0 else numa_node,
        port=read_int(os.path.join(directory, "dev_port")) or 0,
        master=link_name(os.path.join(directory, "master")),
    )


def read_link(roots: RootPaths, name: str) -> LinkFacts:
    """Asks the driver: it can wait for rtnl_lock and for firmware."""
    directory = roots.sys("class/net", name)
    duplex = read_text(os.path.join(directory, "duplex"))
    return LinkFacts(
        bytes_per_second=speed_to_bytes_per_second(read_int(os.path.join(directory, "speed"))),
        duplex=duplex if duplex in ("full", "half") else None,
    )


def speed_to_bytes_per_second(megabits_per_second: int | None) -> int | None:
    """`speed` of sysfs; None for what drivers write when they do not know."""
    if megabits_per_second is None or not 0 < megabits_per_second < _SPEED_UNKNOWN:
        return None
    return megabits_per_second * _BYTES_PER_MEGABIT


def read_is_enabled(roots: RootPaths, name: str) -> bool | None:
    """Whether somebody wants the interface up (IFF_UP); None where it is gone."""
    flags = read_int(roots.sys("class/net", name, "flags"))
    return None if flags is None else bool(flags & _IFF_UP)


def parse_devtype(data: bytes) -> str:
    """DEVTYPE of an interface's `uevent`, "" for one that has none or one we do not know."""
    for line in data.splitlines():
        key, _, value = line.partition(b"=")
        if key == b"DEVTYPE":
            devtype = value.decode("ascii", "replace")
            return devtype if devtype in _DEVTYPES else ""
    return ""


def _operstate(data: bytes) -> str:
    state = data.strip().decode("ascii", "replace")
    return state if state in OPERSTATES else "unknown"


def _read_kind(directory: str, device: str) -> str:
    if device:
        if os.path.lexists(os.path.join(device, "physfn")):
            return "vf"
        if _SUBFUNCTION.match(os.path.basename(device)):
            return "subfunction"
        is_representor = _REPRESENTOR.match(read_text(os.path.join(directory, "phys_port_name")))
        return "representor" if is_representor else "physical"
    if read_int(os.path.join(directory, "type")) == _ARPHRD_LOOPBACK:
        return "loopback"
    return parse_devtype(read_optional(os.path.join(directory, "uevent")) or b"") or "virtual"
