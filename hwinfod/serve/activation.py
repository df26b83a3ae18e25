# SPDX-License-Identifier: MIT
"""Sockets that systemd opened for us, so that a successor can listen while we end. Source: sd_listen_fds(3)."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from typing import NamedTuple

from hwinfod.errors import UserError

_FIRST_DESCRIPTOR = 3
# FileDescriptorName=, or the unit's name where that is not set: systemd.socket(5).
_NAMES: dict[int, tuple[str, ...]] = {
    socket.AF_UNIX: ("api", "hwinfod.socket"),
    socket.AF_INET: ("metrics", "hwinfod-metrics.socket"),
    socket.AF_INET6: ("metrics", "hwinfod-metrics.socket"),
}
_HINT = "FileDescriptorName= in the .socket unit is api (ListenStream=/path) or metrics (ListenStream=HOST:PORT)"


class ActivatedSockets(NamedTuple):
    """What systemd handed over, by what it is for; all empty when it was not asked to."""

    api: list[socket.socket]
    metrics: list[socket.socket]


def take_activated_sockets(
    environ: MutableMapping[str, str] | None = None, first_descriptor: int = _FIRST_DESCRIPTOR
) -> ActivatedSockets:
    """Take the sockets over and forget the variables, so that no child takes them too.

    Raises UserError for a descriptor that is no listening stream socket of the right family.
    """
    environ = os.environ if environ is None else environ
    process, count, names = (environ.pop(f"LISTEN_{key}", "") for key in ("PID", "FDS", "FDNAMES"))
    activated = ActivatedSockets([], [])
    if process != str(os.getpid()) or not count.isdigit():
        return activated
    name_of = dict(enumerate(names.split(":")))
    try:
        for number in range(int(count)):
            listener = _take(first_descriptor + number, name_of.get(number, ""))
            (activated.api if listener.family == socket.AF_UNIX else activated.metrics).append(listener)
    except UserError:
        for listener in (*activated.api, *activated.metrics):
            listener.close()
        raise
    return activated


def _take(descriptor: int, name: str) -> socket.socket:
    try:
        listener = socket.socket(fileno=descriptor)
    except OSError:
        raise _unexpected(name, "no socket") from None
    if listener.type != socket.SOCK_STREAM or not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listener.close()
        raise _unexpected(name, "not a listening stream socket")
    if name not in _NAMES.get(listener.family, ()):
        listener.close()
        raise _unexpected(name, "its name does not fit its address")
    listener.set_inheritable(False)
    return listener


def _unexpected(name: str, reason: str) -> UserError:
    return UserError(f"systemd handed over a socket that is not expected: {name or 'unnamed'}: {reason}", hint=_HINT)
