# SPDX-License-Identifier: MIT
"""The sending side of one connection: never more than the limit is held for a client that does not read.

asyncio's transport takes whatever it is given and buffers the rest. So a long body goes to it in pieces, each
only after the one before it has nearly left, and what the client took is watched from the sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hwinfod.serve.http.limits import Limits

PIECE_BYTES = 64 << 10


class Outbox:
    """Bytes on their way to one client."""

    __slots__ = ("_clock", "_drained", "_limits", "_paused_at", "_rest", "_sent", "_sent_at", "_transport", "_written")

    def __init__(self, transport: asyncio.Transport, limits: Limits, clock: Callable[[], float]) -> None:
        # The transport says "pause" once it holds more than this; the piece it is given last may come on top.
        transport.set_write_buffer_limits(high=limits.unsent_bytes - PIECE_BYTES)
        self._transport = transport
        self._limits = limits
        self._clock = clock
        self._paused_at: float | None = None
        self._drained: asyncio.Future[None] | None = None
        self._rest: memoryview | None = None
        self._written = 0
        self._sent = 0
        self._sent_at = clock()

    @property
    def is_full(self) -> bool:
        """Whether the client has to read before anything more may be written."""
        return self._paused_at is not None or self._rest is not None

    @property
    def unsent_bytes(self) -> int:
        """What the kernel has not taken yet."""
        return self._transport.get_write_buffer_size()

    def write(self, data: bytes | memoryview) -> None:
        """Hand over at most a piece. Dropped when the connection is gone: asyncio would log it."""
        if not self._transport.is_closing():
            self._written += len(data)
            self._transport.write(data)

    def write_body(self, start: bytes, body: bytes) -> None:
        """A head and its body, of any length; `is_full` while pieces of it wait."""
        if len(body) <= PIECE_BYTES:
            # One copy costs less than a second system call.
            self.write(start + body)
        else:
            self.write(start)
            self._rest = memoryview(body)
            self._feed()

    async def write_paced(self, chunk: bytes, frame: Callable[[memoryview], bytes]) -> None:
        """A chunk of a stream, framed piece by piece, each when there is room for it."""
        for begin in range(0, len(chunk), PIECE_BYTES):
            if self._paused_at is not None:
                self._drained = asyncio.get_running_loop().create_future()
                await self._drained
            self.write(frame(memoryview(chunk)[begin : begin + PIECE_BYTES]))

    def pause(self) -> None:
        """The transport holds as much as it may."""
        self._paused_at = self._clock()

    def resume(self) -> None:
        """The client has read most of what it was sent."""
        self._paused_at = None
        if self._drained is not None:
            drained, self._drained = self._drained, None
            if not drained.done():
                drained.set_result(None)
        self._feed()

    def is_stuck(self, now: float, *, streaming: bool) -> bool:
        """Whether the client is to be cut: it reads nothing, or a stream runs ahead of it. For the sweep."""
        unsent = self.unsent_bytes
        sent = self._written - unsent
        if not unsent or sent != self._sent:
            self._sent = sent
            self._sent_at = now
        if streaming and self._paused_at is not None and now - self._paused_at >= self._limits.catch_up_seconds:
            return True
        return now - self._sent_at >= self._limits.write_seconds

    def _feed(self) -> None:
        while self._rest is not None and self._paused_at is None:
            piece, rest = self._rest[:PIECE_BYTES], self._rest[PIECE_BYTES:]
            self._rest = rest or None
            self.write(piece)
