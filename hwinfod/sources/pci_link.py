# SPDX-License-Identifier: MIT
"""PCI Express links: at what width and speed one runs, and what both of its ends can.

These files read the function's registers: a sleeping one is not to be asked (`pci.read_is_suspended`).
Source: drivers/pci/pci-sysfs.c current_link_speed_show() and its neighbours, drivers/pci/pci.h
PCIE_SPEED2STR; PCI Express Base Specification 7.5.3.8 (link status).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TypeVar

from hwinfod.errors import ParseError
from hwinfod.sources.files import parse_int, read_int, read_optional
from hwinfod.sources.pci import is_pci_address

# A function that has left answers all ones, which is width 63; a link that is down has width 0.
_WIDTHS = frozenset({1, 2, 4, 8, 12, 16, 32})
_LARGEST_SPEED = 1024.0
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class Link:
    """Transfer rate in GT/s (16.0 is PCIe 4.0) and number of lanes; None where the device does not say."""

    gigatransfers_per_second: float | None
    width: int | None


@dataclass(frozen=True, slots=True)
class LinkEnds:
    """The directories of the two ends of the link by which a device hangs on the host."""

    near: str
    far: str


def parse_link_speed(data: bytes) -> float | None:
    """`16.0 GT/s PCIe`, before Linux 5.7 `16 GT/s`; None for `Unknown` and whatever else."""
    number, _, rest = data.strip().partition(b" ")
    if not rest.startswith(b"GT/s"):
        return None
    try:
        speed = float(number)
    except ValueError:
        return None
    return speed if 0 < speed <= _LARGEST_SPEED else None


def parse_link_width(data: bytes) -> int | None:
    """Lanes; None where the register has no width that exists."""
    try:
        width = parse_int(data)
    except ParseError:
        return None
    return width if width in _WIDTHS else None


def read_link(directory: str) -> Link:
    """How a link runs now, asked at its lower end."""
    return _read(directory, "current")


def read_limit(directory: str) -> Link:
    """What one end can."""
    return _read(directory, "max")


def _read(directory: str, what: str) -> Link:
    return Link(
        parse_link_speed(read_optional(os.path.join(directory, f"{what}_link_speed")) or b""),
        parse_link_width(read_optional(os.path.join(directory, f"{what}_link_width")) or b""),
    )


def find_ends(directory: str) -> LinkEnds | None:
    """The ends of the link that leaves the card; None for a function that hangs on no link.

    Some cards have a switch of their own, and the link behind it never changes: AMD GPUs, BlueField, ConnectX-8.
    Two bridges of the device's own vendor above it, and a port above these, are such a switch. (A host's ports
    stand one deep: nothing is above them.)
    """
    near, far = directory, os.path.dirname(directory)
    vendor = read_int(os.path.join(directory, "vendor"))
    while _is_function(far):
        upper = os.path.dirname(far)
        above = os.path.dirname(upper)
        if not _is_function(above) or {_vendor(far), _vendor(upper)} != {vendor}:
            return LinkEnds(near, far)
        near, far = upper, above
    return None


def narrowest(one: Link, other: Link) -> Link:
    """What a link can whose ends can this and that."""
    return Link(_least(one.gigatransfers_per_second, other.gigatransfers_per_second), _least(one.width, other.width))


def is_below(link: Link, limit: Link) -> bool | None:
    """Whether a link runs narrower or slower than it can; None where that cannot be known."""
    if link.width is None or limit.width is None:
        return None
    if link.gigatransfers_per_second is None or limit.gigatransfers_per_second is None:
        return None
    return link.width < limit.width or link.gigatransfers_per_second < limit.gigatransfers_per_second


def _least(one: _Number | None, other: _Number | None) -> _Number | None:
    return None if one is None or other is None else min(one, other)


def _is_function(directory: str) -> bool:
    return is_pci_address(os.path.basename(directory))


def _vendor(directory: str) -> int | None:
    return read_int(os.path.join(directory, "vendor"))
