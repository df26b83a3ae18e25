# SPDX-License-Identifier: MIT
"""TCP listeners from what operators write after --web.listen-address: HOST:PORT, [IPV6]:PORT, :PORT."""

from __future__ import annotations

import errno
import os
import socket

from hwinfod.errors import UserError

_HINTS = {
    errno.EADDRINUSE: "another program has this port; `ss -ltnp` names it",
    errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "this host has no such address",
}
# Of clients that connect at once; the kernel holds it to net.core.somaxconn.
_BACKLOG = 1024


def parse_listen_address(text: str) -> tuple[str, int]:
    """Host ("" for every address) and port. Raises UserError."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise UserError(
            f"not a listen address: {text}", hint="write HOST:PORT, [IPV6-ADDRESS]:PORT, or :PORT for every address"
        )
    return host, int(port)


def open_tcp_sockets(text: str) -> list[socket.socket]:
    """Listening sockets for an address: one for each address that a name has, one for both families for :PORT.

    Raises UserError, and leaves nothing open then.
    """
    host, port = parse_listen_address(text)
    sockets: list[socket.socket] = []
    try:
        if host:
            for family, address in _resolve(host, port):
                sockets.append(_bind(family, address))
        elif socket.has_dualstack_ipv6():
            sockets.append(_bind(socket.AF_INET6, ("::", port)))
        else:
            sockets.append(_bind(socket.AF_INET, ("0.0.0.0", port)))
    except OSError as error:
        for opened in sockets:
            opened.close()
        number = error.errno or errno.EIO
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(number)
        raise UserError(f"cannot listen on {text}: {reason}", hint=_HINTS.get(number, "")) from None
    return sockets


def _resolve(host: str, port: int) -> list[tuple[int, tuple[object, ...]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


def _bind(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Alone on "::" it takes both families; beside an IPv4 listener of the same name it must not.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        listener.bind(address)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
