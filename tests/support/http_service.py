# SPDX-License-Identifier: MIT
"""A real `HttpServer` on a real socket in the test's own loop, and h11 as the client that judges its replies."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import h11

from hwinfod.serve.http import HttpServer, Router, local_policy

START = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@dataclass
class FakeClock:
    """Monotonic seconds that only move when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Client:
    """One connection. Replies are parsed by h11 in the client's role, which refuses what is not HTTP/1.1."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    machine: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT))

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def reply(self, method: str = "GET") -> Reply:
        """The next reply, as the answer to a request with this method."""
        if self.machine.our_state is h11.DONE:
            self.machine.start_next_cycle()
        self.machine.send(h11.Request(method=method, target="/", headers=[("host", "test")]))
        self.machine.send(h11.EndOfMessage())
        response: Any = await self._event()
        while isinstance(response, h11.InformationalResponse):
            response = await self._event()
        assert isinstance(response, h11.Response), response
        body = []
        while not isinstance(event := await self._event(), h11.EndOfMessage):
            assert isinstance(event, h11.Data)
            body.append(event.data)
        headers = {name.decode(): value.decode("latin-1") for name, value in response.headers}
        return Reply(response.status_code, headers, b"".join(body))

    async def _event(self) -> Any:
        while (event := self.machine.next_event()) is h11.NEED_DATA:
            self.machine.receive_data(await self.reader.read(65536))
        return event

    async def ask(self, raw: bytes) -> Reply:
        await self.send(raw)
        return await self.reply(raw.split(b" ", 1)[0].decode())

    async def rest(self) -> bytes:
        """All bytes until the server closes; a reset counts as a close."""
        got = b""
        with contextlib.suppress(ConnectionError):
            while data := await self.reader.read(65536):
                got += data
        return got

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@dataclass
class Service:
    """A running server. `address` is a path for a Unix socket, (host, port) for TCP."""

    server: HttpServer
    clock: FakeClock
    address: Any
    tls: Any = None
    clients: list[Client] = field(default_factory=list)

    async def connect(self, **options: Any) -> Client:
        if isinstance(self.address, str):
            streams = await asyncio.open_unix_connection(self.address, **options)
        else:
            streams = await asyncio.open_connection(*self.address[:2], ssl=self.tls, **options)
        self.clients.append(Client(*streams))
        return self.clients[-1]

    async def ask(self, raw: bytes) -> Reply:
        return await (await self.connect()).ask(raw)

    async def pass_time(self, seconds: float) -> None:
        """Let the clock move and the sweep see it, and whatever follows happen."""
        self.clock.advance(seconds)
        self.server.sweep()
        await settle()

    async def emptied(self) -> None:
        """Until every connection is gone, and what that sets off has happened."""
        while self.server.connection_count:
            await asyncio.sleep(0)
        await settle()


async def settle(rounds: int = 20) -> None:
    """Let everything that can happen without time passing happen."""
    for _ in range(rounds):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def serving(router: Router, where: Path | Sequence[socket.socket], **options: Any) -> AsyncIterator[Service]:
    """Serve on a Unix socket in the directory `where`, or on given sockets."""
    clock = options.setdefault("clock", FakeClock())
    options.setdefault("wall_clock", lambda: START)
    server = HttpServer(router, options.pop("policy", local_policy), **options)
    if isinstance(where, Path):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(where / "s"))
        listener.listen(1024)
        where = [listener]
    service = Service(server, clock, where[0].getsockname() if where else None)
    server.start(where)
    try:
        yield service
    finally:
        await server.close()
        for client in service.clients:
            await client.close()


def get(path: str, *headers: str) -> bytes:
    """A GET as curl would send it."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: hwinfod", *headers, "", ""]).encode("latin-1")
