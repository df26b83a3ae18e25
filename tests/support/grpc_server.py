# SPDX-License-Identifier: MIT
"""A gRPC server at a Unix socket for tests: answers bytes with bytes, and fails as it is told to."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grpclib.const import Cardinality, Handler
from grpclib.encoding.base import CodecBase
from grpclib.server import Server

Answer = Callable[[bytes, dict[str, str]], "bytes | list[bytes]"]


class _Bytes(CodecBase):
    __content_subtype__ = "proto"

    def encode(self, message: bytes, message_type: Any) -> bytes:
        return message

    def decode(self, data: bytes, message_type: Any) -> bytes:
        return data


class _Server(Server):
    """Breaks its connections when it is closed, as a process that ends does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.protocols: list[Any] = []

    def _protocol_factory(self) -> Any:
        self.protocols.append(super()._protocol_factory())
        return self.protocols[-1]

    async def end(self) -> None:
        self.close()
        for protocol in self.protocols:
            protocol.processor.close()
        await self.wait_closed()
        await asyncio.sleep(0.01)  # transports close a turn of the loop later


class GrpcServer:
    """`answers` by method: of a request and its metadata. Raising GRPCError is an answer too. A list of messages is a
    stream that ends. `streams` are methods whose messages come by `push`, to everyone who listens; `hangs` are methods
    that never answer. Served on a thread of its own; a test changes all of these while it runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Answer] = {}
        self.streams: set[str] = set()
        self.hangs: set[str] = set()
        self.calls: list[str] = []
        self._listeners: list[tuple[str, asyncio.Queue[bytes]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __mapping__(self) -> dict[str, Handler]:
        found = {method: Handler(self._unary(method), Cardinality.UNARY_STREAM, bytes, bytes)
                 for method in self.answers}  # fmt: skip
        for method in self.streams:
            found[method] = Handler(self._stream(method), Cardinality.UNARY_STREAM, bytes, bytes)
        return found

    def _unary(self, method: str) -> Any:
        async def serve(stream: Any) -> None:
            request = await stream.recv_message()
            self.calls.append(method)
            if method in self.hangs:
                await asyncio.Event().wait()
            answer = self.answers[method](request, dict(stream.metadata))
            for message in answer if isinstance(answer, list) else [answer]:
                await stream.send_message(message)

        return serve

    def _stream(self, method: str) -> Any:
        async def serve(stream: Any) -> None:
            await stream.recv_message()
            self.calls.append(method)
            listener = (method, asyncio.Queue())
            self._listeners.append(listener)
            try:
                while True:
                    await stream.send_message(await listener[1].get())
            finally:
                self._listeners.remove(listener)

        return serve

    def push(self, method: str, message: bytes) -> None:
        """A message to everyone who listens now; nobody else ever gets it."""

        def put() -> None:
            for name, queue in self._listeners:
                if name == method:
                    queue.put_nowait(message)

        assert self._loop is not None
        if threading.current_thread() is self._thread:  # from within an answer
            put()
        else:
            self._loop.call_soon_threadsafe(put)

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    @property
    def is_running(self) -> bool:
        return self._thread is not None

    def start(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        ready = threading.Event()

        async def serve() -> None:
            self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
            server = _Server([self], codec=_Bytes())
            await server.start(path=str(self.path))
            ready.set()
            await self._ended.wait()
            await server.end()

        self._thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
        self._thread.start()
        assert ready.wait(60)

    def stop(self) -> None:
        """As a runtime that is stopped: connections break, the socket goes."""
        if self._thread is not None:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(60)
            assert not self._thread.is_alive()
            self._thread = None
            if self.path.exists():
                os.unlink(self.path)
