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
_API_NAMES = frozenset({"api", "hwinfod.socket"})
_METRICS_NAMES = frozenset({"metrics", "hwinfod-metrics.socket"})
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
    for number in range(int(count)):
        name = name_of.get(number, "")
        listener = _take(first_descriptor + number, name)
        if name in _API_NAMES and listener.family == socket.AF_UNIX:
            activated.api.append(listener)
        elif name in _METRICS_NAMES and listener.family in (socket.AF_INET, socket.AF_INET6):
            activated.metrics.append(listener)
        else:
            raise UserError(f"systemd handed over a socket that is not expected: {name or 'unnamed'}", hint=_HINT)
    return activated


def _take(descriptor: int, name: str) -> socket.socket:
    try:
        listener = socket.socket(fileno=descriptor)
        is_listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        is_listening = 0
    if not is_listening or listener.type != socket.SOCK_STREAM:
        raise UserError(f"systemd handed over what is not a listening stream socket: {name or 'unnamed'}", hint=_HINT)
    listener.set_inheritable(False)
    return listener
