# SPDX-License-Identifier: MIT
"""How many, and the end of all: limits on connections, running out of descriptors, closing."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from hwinfod.serve.http import Limits, Request, Response, Router, web_policy
from hwinfod.serve.http.server import HttpServer
from hwinfod.serve.tcp_sockets import open_tcp_sockets
from tests.support.http_service import get, serving, settle

FEW = Limits(connections=4)


def routes() -> Router:
    async def never(request: Request) -> Response:
        await asyncio.get_running_loop().create_future()
        return Response()

    router = Router()
    router.add("GET", "/", lambda request: Response(200, b"{}"))
    router.add("GET", "/never", never)
    return router


def test_at_the_limit_the_longest_idle_connection_makes_room(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path, limits=FEW) as service:
            clients = []
            for _ in range(4):
                clients.append(await service.connect())
                await settle()
                service.clock.advance(1.0)
            await clients[0].ask(get("/"))  # now the second one is idle for longest
            late = await service.connect()
            assert (await late.ask(get("/"))).status == 200
            assert await clients[1].rest() == b""
            for kept in (clients[0], clients[2], clients[3]):
                assert (await kept.ask(get("/"))).status == 200
            assert service.server.connection_count == 4

    asyncio.run(scenario())


@pytest.mark.parametrize("on_tcp", [False, True], ids=["unix", "tcp"])
def test_when_none_is_idle_the_new_one_is_told(on_tcp: bool, tmp_path: Path) -> None:
    async def scenario() -> None:
        where = open_tcp_sockets("127.0.0.1:0") if on_tcp else tmp_path
        policy = {"policy": web_policy} if on_tcp else {}
        async with serving(routes(), where, limits=FEW, **policy) as service:
            busy = [await service.connect() for _ in range(4)]
            for client in busy:
                await client.send(get("/never"))
            await settle()
            for _ in range(40):  # more than are let linger, too
                refused = await service.connect()
                reply = await refused.ask(get("/"))
                assert (reply.status, reply.headers["connection"]) == (503, "close")
            assert service.server.connection_count <= 4 + 16
            await busy[0].close()
            await settle()
            assert (await service.ask(get("/"))).status == 503  # what lingers holds its place
            await service.pass_time(3.0)
            assert (await service.ask(get("/"))).status == 200

    asyncio.run(scenario())


@pytest.mark.tier("descriptors")
def test_a_thousand_idle_clients_cost_a_hundred_and_twenty_eight_places(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            for _ in range(1000):
                await service.connect()
            await settle()
            assert service.server.connection_count == 128
            assert (await service.ask(get("/"))).status == 200

    asyncio.run(scenario())


def test_out_of_descriptors_is_said_once_and_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            idle = await service.connect()
            await settle()
            accept = socket.socket.accept
            broken = True
            tries: list[socket.socket] = []

            def failing(self: socket.socket) -> Any:
                tries.append(self)
                if broken:
                    raise OSError(errno.EMFILE, "too many open files")
                return accept(self)

            monkeypatch.setattr(socket.socket, "accept", failing)
            waiting = await service.connect()
            await waiting.send(get("/"))
            await settle()
            assert await idle.rest() == b""  # its descriptor is needed more elsewhere
            assert len(tries) == 1  # not again and again: the client is still there to be accepted
            service.server._tick()
            await settle()
            assert len(tries) == 2
            broken = False
            service.server._tick()
            assert (await waiting.reply()).status == 200

    asyncio.run(scenario())
    said = [r.getMessage() for r in caplog.records if r.name.startswith("hwinfod")]
    assert said == ["accepting connections failed: OSError", "accepting connections works again"]


@pytest.mark.tier("descriptors")
def test_closing_takes_a_thousand_connections_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    before = set(os.listdir("/proc/self/fd"))

    async def scenario() -> None:
        async with serving(routes(), tmp_path, limits=Limits(connections=2000)) as service:
            clients = [await service.connect() for _ in range(1000)]
            for number, client in enumerate(clients):
                await client.send([b"", b"GET", get("/"), get("/never")][number % 4])
            await settle()
            assert service.server.connection_count == 1000
            with_both_ends = len(os.listdir("/proc/self/fd"))
            await service.server.close()
            assert service.server.connection_count == 0
            assert len(os.listdir("/proc/self/fd")) == with_both_ends - 1001  # at once: our ends, and the listener
            with pytest.raises(ConnectionRefusedError):
                await service.connect()
            for client in clients:
                await client.rest()

    asyncio.run(scenario())
    assert set(os.listdir("/proc/self/fd")) <= before
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_closing_at_once_after_connecting_and_twice(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            client = await service.connect()
            listener = service.server._listeners[0]
            service.server._accept(listener)  # accepted, and its transport not yet made
            await service.server.close()
            await service.server.close()
            assert await client.rest() == b""

    asyncio.run(scenario())


def test_a_server_that_never_started_closes() -> None:
    asyncio.run(HttpServer(routes(), web_policy).close())


def test_requests_are_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            for raw in (get("/") * 3, get("/nowhere"), get("/", "Origin: http://evil"), b"nonsense\r\n"):
                client = await service.connect()
                await client.send(raw)
                assert await client.reader.read(1)
            assert service.server.request_count == 5

    asyncio.run(scenario())


def test_ten_thousand_requests_leave_no_descriptor(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            client = await service.connect()
            await client.ask(get("/"))
            before = len(os.listdir("/proc/self/fd"))
            for number in range(100):
                await client.send(get(f"/?{number}") * 100)
                for _ in range(100):
                    assert (await client.reply()).status == 200
            for _ in range(200):
                other = await service.connect()
                await other.ask(get("/", "Connection: close"))
                await other.close()
            await settle()
            assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(scenario())
