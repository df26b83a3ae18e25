# SPDX-License-Identifier: MIT
"""A listener with its clients: accepting, limits, the sweep that holds deadlines, and the end of all of it.

Sockets are accepted here and not by asyncio.Server: a client counts before its TLS handshake is done, each gets the
TLS context of the moment, running out of descriptors is one log line, and closing leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import errno
import math
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from hwinfod.serve.http.access import WebAccess
from hwinfod.serve.http.connection import CLOSING, IDLE, Connection
from hwinfod.serve.http.dispatch import Dispatcher
from hwinfod.serve.http.failures import FailureLog
from hwinfod.serve.http.heads import HeadMemo
from hwinfod.serve.http.limits import Limits
from hwinfod.serve.http.peer import read_peer
from hwinfod.serve.http.policy import Policy
from hwinfod.serve.http.replies import ReplyEncoder
from hwinfod.serve.http.router import Router

if TYPE_CHECKING:
    import ssl

_SWEEP_SECONDS = 1.0
# Accepted before the clients that are here already have their turn.
_ACCEPTS = 32
# Refused clients kept beyond the limit for as long as they read their refusal.
_SURPLUS = 16
_ACCEPTING = "accepting connections"
_RECEIVE_BYTES = 32 << 10
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class HttpServer:
    """One listener of one or more sockets. All its methods belong to the event loop's thread."""

    def __init__(
        self,
        router: Router,
        policy: Policy,
        *,
        access: WebAccess | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.limits = limits or Limits()
        self.clock = clock
        self.heads = HeadMemo()
        self.replies = ReplyEncoder(wall_clock)
        self.failures = FailureLog()
        self.dispatcher = Dispatcher(router, policy, access, self.failures)
        self.receive_buffer = memoryview(bytearray(_RECEIVE_BYTES))
        seconds = self.limits
        self.seconds_of_state: tuple[float, ...] = (
            seconds.idle_seconds,
            seconds.head_seconds,
            seconds.body_seconds,
            math.inf,
            seconds.linger_seconds,
        )
        self._access = access
        self._headers: Mapping[str, str] = {}
        self._listeners: list[socket.socket] = []
        self._is_accepting = False
        self._opening: dict[Connection, tuple[asyncio.Task[None], socket.socket]] = {}
        self._connections: set[Connection] = set()
        self._leaving: set[Connection] = set()
        self._all_left: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def connection_count(self) -> int:
        """Clients that hold a place: connected, or in their TLS handshake."""
        return len(self._connections) + len(self._opening)

    @property
    def request_count(self) -> int:
        """Requests answered since the start."""
        return self.dispatcher.answered

    # Life

    def start(self, listeners: Iterable[socket.socket]) -> None:
        """Serve on listening stream sockets, which are ours to close from now on. The loop must be running."""
        for listener in listeners:
            listener.setblocking(False)
            self._listeners.append(listener)
        self._resume_accepting()

    async def close(self) -> None:
        """Close every listener and every connection, now; what was not sent is dropped. Quiet, safe to repeat."""
        self._pause_accepting()
        while self._listeners:
            self._listeners.pop().close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        opening = list(self._opening.values())
        for task, _ in opening:
            task.cancel()
        if opening:
            await asyncio.wait([task for task, _ in opening])
        for _, client in opening:
            client.close()  # a task cancelled before its first step has not handed it to a transport
        self._opening.clear()
        for connection in list(self._connections):
            self._drop(connection)
        if self._leaving:
            self._all_left = asyncio.get_running_loop().create_future()
            await self._all_left

    def sweep(self) -> None:
        """Hold every connection to its deadlines. Runs by itself once a second while there are connections."""
        self._refresh_headers()
        now = self.clock()
        for connection in list(self._connections):
            connection.sweep(now)

    def _tick(self) -> None:
        self._timer = None
        self.sweep()
        if not self._is_accepting:
            self._resume_accepting()
        if self.connection_count:
            self._start_timer()

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._tick)

    def _refresh_headers(self) -> None:
        headers = self._access.common_headers() if self._access is not None else self._headers
        if headers is not self._headers:
            self._headers = headers
            self.replies.set_common_headers(headers)

    # Accepting

    def _resume_accepting(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.add_reader(listener.fileno(), self._accept, listener)
        self._is_accepting = True

    def _pause_accepting(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.remove_reader(listener.fileno())
        self._is_accepting = False

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS):
            try:
                client, _address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    continue  # that client left before it was accepted: accept(2), "Error handling"
                self.failures.failed(_ACCEPTING, error)
                self._drop_longest(IDLE)
                self._pause_accepting()  # until the next sweep
                self._start_timer()
                return
            self.failures.worked(_ACCEPTING)
            self._welcome(client)

    def _welcome(self, client: socket.socket) -> None:
        """Give a client its connection; at the limit, the place of the longest idle one, or a refusal."""
        if self.connection_count >= self.limits.connections:
            self._drop_longest(IDLE)
        surplus = self.connection_count >= self.limits.connections
        if self.connection_count >= self.limits.connections + _SURPLUS:
            self._drop_longest(CLOSING)
        try:
            peer = read_peer(client) if client.family == socket.AF_UNIX else None
        except OSError:
            client.close()
            return
        context = self._access.tls_context() if self._access is not None else None
        if surplus and (context is not None or self.connection_count >= self.limits.connections + _SURPLUS):
            client.close()
            return
        self._refresh_headers()
        connection = Connection(self, peer, secure=context is not None, surplus=surplus)
        task = asyncio.get_running_loop().create_task(self._open(connection, client, context))
        self._opening[connection] = (task, client)
        self._start_timer()

    async def _open(self, connection: Connection, client: socket.socket, context: ssl.SSLContext | None) -> None:
        timeout = self.limits.head_seconds if context is not None else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, client, ssl=context, ssl_handshake_timeout=timeout
            )
        except OSError:
            pass  # a handshake that failed is the client's affair; ssl.SSLError is an OSError
        finally:
            self._opening.pop(connection, None)

    def _drop_longest(self, state: int) -> None:
        """Close the connection that has been in `state` for longest, with nothing on its way to it."""
        waiting = [c for c in self._connections if c.state == state and not c.outbox.unsent_bytes]
        if waiting:
            self._drop(min(waiting, key=_since))

    def _drop(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._leaving.add(connection)
        connection.abort()

    # What connections say

    def opened(self, connection: Connection) -> None:
        self._opening.pop(connection, None)
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._leaving.discard(connection)
        if self._all_left is not None and not self._leaving and not self._all_left.done():
            self._all_left.set_result(None)

    def accepts_certificate(self, transport: asyncio.BaseTransport) -> bool:
        """Whether the client of a TLS connection may stay: the web config file may name who."""
        return self._access is None or self._access.accepts_certificate(transport.get_extra_info("peercert"))


def _since(connection: Connection) -> float:
    return connection.since
