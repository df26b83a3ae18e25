# SPDX-License-Identifier: MIT
"""The socket under the client: pyroute2's, imported and opened only where there is an RDMA device.

pyroute2 makes, sizes and binds it; the datagrams then pass through a duplicate of its descriptor, because a
round through its request machinery costs more than all else that a second of RDMA needs.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import TYPE_CHECKING, Any

from hwinfod.errors import Absent, from_os_error
from hwinfod.sources.nldev.enums import NETLINK_RDMA, NOTIFY_GROUP

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

_BUFFER = 65536  # the kernel makes parts of a dump as large as the reader's buffer, up to 32 KiB
_TIMEOUT_SECONDS = 5.0


class SocketTransport:
    """Datagrams over the descriptor of a netlink socket, which it owns from then on."""

    def __init__(self, owner: Any, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        """`owner` is a pyroute2 socket, or anything with fileno() and close()."""
        self._owner = owner
        self._socket = socket.socket(fileno=os.dup(owner.fileno()))
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._timeout_seconds = timeout_seconds

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        self._socket.send(data)

    def receive(self) -> bytes:
        """One datagram. Raises OSError, ETIMEDOUT among them.

        The kernel has answered before send(2) returns, so that a wait is the rare case.
        """
        try:
            return self._socket.recv(_BUFFER)
        except BlockingIOError:
            if not self._poll.poll(self._timeout_seconds * 1000):
                raise OSError(errno.ETIMEDOUT, "no answer") from None
            return self._socket.recv(_BUFFER)

    def receive_waiting(self) -> bytes | None:
        """A datagram that is there already, or None. Raises OSError."""
        try:
            return self._socket.recv(_BUFFER)
        except BlockingIOError:
            return None

    def close(self) -> None:
        self._socket.close()
        self._owner.close()


def open_transport(roots: RootPaths, *, notifications: bool = False) -> SocketTransport:
    """A NETLINK_RDMA socket; with `notifications` one that gets MONITOR events. Raises Absent, ReadError.

    The directory is looked at first: the socket call could load ib_core on a host that has no use for it.
    """
    if not os.path.isdir(roots.sys("class", "infiniband")):
        raise Absent("no RDMA devices: the kernel has no class infiniband")
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_RDMA).close()
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            raise Absent("no RDMA netlink: the kernel has no NETLINK_RDMA") from None
        raise from_os_error(error, "rdma netlink socket") from None
    from hwinfod.sources.nldev.family import RDMASocket

    sock = RDMASocket()
    try:
        sock.bind(groups=1 << (NOTIFY_GROUP - 1) if notifications else 0)
        return SocketTransport(sock)
    except OSError as error:
        sock.close()
        raise from_os_error(error, "rdma netlink socket") from None
