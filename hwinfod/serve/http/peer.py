# SPDX-License-Identifier: MIT
"""Who is at the other end of a Unix socket. Source: unix(7), include/uapi/asm-generic/socket.h, net/core/sock.c."""

from __future__ import annotations

import errno
import socket
import struct

from hwinfod.serve.http.messages import Peer

_UCRED = struct.Struct("iII")
# asm-generic/socket.h; the socket module does not have it. PA-RISC and SPARC number it otherwise and have no GPUs.
_SO_PEERGROUPS = 59
# The most that socket.getsockopt() can take: 256 groups.
_GETSOCKOPT_BYTES = 1024
_NGROUPS_MAX = 65536


def read_peer(client: socket.socket) -> Peer:
    """The credentials that the peer had when it connected. Raises OSError for a socket that has no such peer."""
    pid, uid, gid = _UCRED.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Peer(pid, uid, gid, _read_groups(client))


def _read_groups(client: socket.socket) -> tuple[int, ...]:
    try:
        packed = client.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GETSOCKOPT_BYTES)
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            return ()  # Linux before 4.13: no groups are no rights
        if error.errno != errno.ERANGE:
            raise
        packed = _read_many_groups(client)
    return tuple(memoryview(packed).cast("I"))


def _read_many_groups(client: socket.socket) -> bytes:
    """More than 256 groups, as directory services give them: getsockopt(2) itself."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    groups = (ctypes.c_uint32 * _NGROUPS_MAX)()
    size = ctypes.c_uint32(ctypes.sizeof(groups))
    if libc.getsockopt(client.fileno(), socket.SOL_SOCKET, _SO_PEERGROUPS, groups, ctypes.byref(size)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "cannot read the peer's groups")
    return bytes(groups)[: size.value]
