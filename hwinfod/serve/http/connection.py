# SPDX-License-Identifier: MIT
"""One HTTP/1.1 connection: bytes in, requests to the dispatcher, replies out, in order.

States, and what ends each (`Limits` has the seconds):

    IDLE     between requests              closed quietly after idle_seconds, or to make room
    HEAD     part of a head is here        408 after head_seconds
    BODY     the head, part of the body    408 after body_seconds
    BUSY     a reply is being made or fed  the client leaves, or takes nothing for write_seconds
    CLOSING  the last reply was sent       cut after linger_seconds

One request is answered at a time; what a pipelining client sent beyond it waits in the buffer, and reading stops
when that is more than one request can be.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, cast

from hwinfod.serve.http import guard, problems
from hwinfod.serve.http.dispatch import Dispatcher
from hwinfod.serve.http.failures import FailureLog
from hwinfod.serve.http.heads import Head, HeadMemo
from hwinfod.serve.http.limits import Limits
from hwinfod.serve.http.messages import Peer, Request, Response
from hwinfod.serve.http.outbox import Outbox
from hwinfod.serve.http.problems import Problem
from hwinfod.serve.http.replies import CONTINUE, ReplyEncoder

IDLE, HEAD, BODY, BUSY, CLOSING = range(5)

_REQUEST_BYTES = guard.HEAD_BYTES + guard.BODY_BYTES
_REPLYING = "sending a stream"
_LAST_CHUNK = b"0\r\n\r\n"
# Pipelined requests answered before other connections have their turn.
_TURN = 16


class Listener(Protocol):
    """What a connection asks of the listener that it came in by."""

    limits: Limits
    clock: Callable[[], float]
    heads: HeadMemo
    replies: ReplyEncoder
    dispatcher: Dispatcher
    failures: FailureLog
    receive_buffer: memoryview
    """One for all: a connection copies what arrived before the next one reads."""
    seconds_of_state: tuple[float, ...]

    def opened(self, connection: Connection) -> None: ...
    def closed(self, connection: Connection) -> None: ...
    def accepts_certificate(self, transport: asyncio.BaseTransport) -> bool: ...


class Connection(asyncio.BufferedProtocol):
    """A client. Made by the listener for each accepted socket, `surplus` when it is to be told 503 and no more."""

    __slots__ = (
        "_buffer",
        "_close_after_reply",
        "_has_eof",
        "_head",
        "_is_streaming",
        "_listener",
        "_peer",
        "_surplus",
        "_task",
        "_transport",
        "outbox",
        "secure",
        "since",
        "state",
    )

    def __init__(self, listener: Listener, peer: Peer | None, *, secure: bool, surplus: bool) -> None:
        self._listener = listener
        self._peer = peer
        self._surplus = surplus
        self.secure = secure
        self.state = IDLE
        self.since = listener.clock()
        self._buffer = bytearray()
        self._head: Head | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_streaming = False
        self._has_eof = False
        self._close_after_reply = False

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.outbox = Outbox(self._transport, self._listener.limits, self._listener.clock)
        self._listener.opened(self)
        if self.secure and not self._listener.accepts_certificate(transport):
            self.abort()
        elif self._surplus:
            self._refuse(Problem(problems.UNAVAILABLE, "too many connections"))

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._listener.receive_buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.state == CLOSING:
            return
        data = bytes(self._listener.receive_buffer[:nbytes])
        if self.state == IDLE and not self._buffer:
            head = self._listener.heads.known.get(data)
            if head is not None and not head.body_bytes:
                self._respond(head, b"")
                return
        self._buffer += data
        self._advance()

    def eof_received(self) -> bool:
        """The client sends no more: a half-close, or the first sign that it left."""
        self._has_eof = True
        if self.secure or self.state != BUSY:
            return False
        if self._task is not None and (self._is_streaming or self._client_left()):
            self.abort()
        return True

    def pause_writing(self) -> None:
        self.outbox.pause()

    def resume_writing(self) -> None:
        self.outbox.resume()
        if self.state == BUSY and self._task is None:
            self._finish_reply()
            self._advance()

    def connection_lost(self, _error: Exception | None) -> None:
        self.state = CLOSING
        if self._task is not None:
            # Not now: a task that never began would leave its handler's coroutine behind unawaited.
            asyncio.get_running_loop().call_soon(self._task.cancel)
        self._listener.closed(self)

    # What the listener says

    def abort(self) -> None:
        """Close at once; whatever was not sent is dropped, and a handler at work is cancelled."""
        self.state = CLOSING
        self._transport.abort()

    def sweep(self, now: float) -> None:
        """Hold the connection to its deadlines."""
        if self.outbox.is_stuck(now, streaming=self._is_streaming):
            self.abort()
        elif self.outbox.unsent_bytes and self.state in (IDLE, CLOSING):
            self.since = now  # neither idle nor done: the client still reads
        elif now - self.since >= self._listener.seconds_of_state[self.state]:
            if self.state in (HEAD, BODY):
                self._refuse(Problem(problems.REQUEST_TIMEOUT))
            else:
                self.abort()

    # Requests

    def _advance(self) -> None:
        """Answer what is in the buffer, as far as it is whole and the client takes the replies."""
        turns = 0
        try:
            while self.state < BUSY:
                if turns == _TURN:
                    asyncio.get_running_loop().call_soon(self._advance)
                    break
                if not self._answer_next():
                    if self._has_eof:
                        self._enter(CLOSING)
                        self._transport.close()
                    break
                turns += 1
        except Problem as problem:
            self._refuse(problem)
        self._regulate_reading()

    def _answer_next(self) -> bool:
        """Take one request out of the buffer and answer it. False when it is not whole. Raises Problem."""
        head = self._head
        if head is None:
            head = self._take_head()
            if head is None:
                return False
        if len(self._buffer) < head.body_bytes:
            if self._head is None:
                self._head = head
                self._enter(BODY)
                if head.expects_continue:
                    self.outbox.write(CONTINUE)
            return False
        body = bytes(self._buffer[: head.body_bytes])
        del self._buffer[: head.body_bytes]
        self._head = None
        self._respond(head, body)
        return True

    def _take_head(self) -> Head | None:
        end = self._buffer.find(b"\r\n\r\n") + 4
        if end >= 4:
            head = self._listener.heads.parse(bytes(self._buffer[:end]))
            del self._buffer[:end]
            return head
        if self._buffer:
            guard.check_start(bytes(self._buffer))
            if self.state == IDLE:
                self._enter(HEAD)
        return None

    def _enter(self, state: int) -> None:
        self.state = state
        self.since = self._listener.clock()

    def _regulate_reading(self) -> None:
        if self.state == CLOSING or self._has_eof:
            return
        full = len(self._buffer) > _REQUEST_BYTES
        if full and self._transport.is_reading():
            self._transport.pause_reading()
        elif not full and not self._transport.is_reading():
            self._transport.resume_reading()

    def _client_left(self) -> bool:
        """Whether an end of file means that nobody reads either. A Unix socket tells (POLLHUP: both directions
        are shut); TCP cannot, and there a client that closes its half early is taken to have left."""
        if self._peer is None:
            return True
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), 0)
        return any(events & select.POLLHUP for _, events in poll.poll(0))

    # Replies

    def _respond(self, head: Head, body: bytes) -> None:
        request = Request(head.method, head.path, head.query, head.headers, body, self._peer, self.secure)
        self.state = BUSY
        answer = self._listener.dispatcher.answer(request)
        if isinstance(answer, Response) and answer.stream is None:
            self._reply(head, answer)
        else:
            self._task = asyncio.get_running_loop().create_task(self._reply_later(head, answer))

    def _reply(self, head: Head, response: Response) -> None:
        self._close_after_reply = not head.keeps_alive
        start, body = self._listener.replies.encode(head, response, close=self._close_after_reply)
        self.outbox.write_body(start, body)
        self._finish_reply()

    def _finish_reply(self) -> None:
        """Go on to the next request, or wait for `resume_writing` while the client has too much to read."""
        if self.outbox.is_full:
            return
        if self._close_after_reply:
            self._linger()
        else:
            self._enter(IDLE)

    async def _reply_later(self, head: Head, answer: Response | Awaitable[Response]) -> None:
        """The one task of a connection: a handler that awaits, a stream, or both."""
        try:
            response = answer if isinstance(answer, Response) else await answer
            if response.stream is None or head.method == "HEAD":
                self._reply(head, response)
            else:
                await self._stream(head, response, response.stream)
            self._listener.failures.worked(_REPLYING)
        except asyncio.CancelledError:
            self.abort()
            raise
        except Exception as error:
            self._listener.failures.failed(_REPLYING, error)
            self.abort()  # the missing last chunk tells the client that it has not got all
        finally:
            self._task = None
        self._advance()

    async def _stream(self, head: Head, response: Response, stream: AsyncIterator[bytes]) -> None:
        self._is_streaming = not response.ends
        self._close_after_reply = not head.keeps_alive
        start, _ = self._listener.replies.encode(head, response, close=self._close_after_reply)
        self.outbox.write(start)
        frame = _make_chunk if head.is_http_1_1 else bytes
        try:
            async for chunk in stream:
                await self.outbox.write_paced(chunk, frame)
        finally:
            await _finish(stream)
        if head.is_http_1_1:
            self.outbox.write(_LAST_CHUNK)
        self._is_streaming = False
        self._finish_reply()

    def _refuse(self, problem: Problem) -> None:
        """Answer what is no request, and close: where the next one would begin is unknown."""
        self.outbox.write(self._listener.replies.encode_refusal(problem))
        self._linger()

    def _linger(self) -> None:
        """Close after the last reply. To close while the client still sends would reset the connection and
        could cost it the reply (RFC 9112 section 9.6): our half is shut, its half is read and dropped."""
        self._enter(CLOSING)
        self._buffer.clear()
        if self._has_eof or self.secure:
            self._transport.close()
        else:
            self._transport.write_eof()
            if not self._transport.is_reading():
                self._transport.resume_reading()


def _make_chunk(data: memoryview) -> bytes:
    return b"".join((b"%x\r\n" % len(data), data, b"\r\n"))


async def _finish(stream: AsyncIterator[bytes]) -> None:
    """Let a stream's generator clean up now, and not when it is collected."""
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()
