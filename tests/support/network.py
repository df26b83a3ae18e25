# SPDX-License-Identifier: MIT
"""The network guard: a test may connect to this machine and to nothing else."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest


class NetworkUsed(AssertionError):
    """A test wanted to leave this machine."""


def is_local(family: int, address: Any) -> bool:
    """Whether a socket of `family` stays on this machine when it speaks to `address`."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True  # Unix sockets, netlink: the kernel is as far as they go
    host = address[0]
    if host == "localhost":
        return True
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False  # a name: it would be asked of a DNS server
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def install(patch: pytest.MonkeyPatch) -> None:
    """Guard the calls by which Python, asyncio included, names the far end of an IP socket."""
    for name, position in (("connect", 0), ("connect_ex", 0), ("sendto", -1)):
        patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name), position))


def _guarded(call: Any, position: int) -> Any:
    def guarded(self: socket.socket, *args: Any) -> Any:
        if not is_local(self.family, args[position]):
            raise NetworkUsed(f"tests stay on this machine, and this one wanted {args[position]!r}")
        return call(self, *args)

    return guarded
