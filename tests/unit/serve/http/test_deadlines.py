# SPDX-License-Identifier: MIT
"""Slow and idle clients, by a clock that the tests move."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hwinfod.serve.http import Limits, Request, Response, Router
from hwinfod.serve.http.connection import CLOSING
from tests.support.http_service import Client, Service, get, serving, settle

BIG = b"y" * 5_000_000


def routes() -> Router:
    async def never(request: Request) -> Response:
        await asyncio.get_running_loop().create_future()
        return Response()

    router = Router()
    router.add("GET", "/", lambda request: Response(200, b"{}"))
    router.add("POST", "/", lambda request: Response(200, request.body))
    router.add("GET", "/big", lambda request: Response(200, BIG))
    router.add("GET", "/never", never)
    return router


async def is_open(client: Client) -> bool:
    await settle()
    return not client.reader.at_eof()


async def start(service: Service, raw: bytes) -> Client:
    client = await service.connect()
    await client.send(raw)
    await settle()
    return client


@pytest.mark.parametrize(
    "raw",
    [b"G", b"GET / HTTP/1.1\r\nHost: hwinfod\r\n", get("/", "Content-Length: 5").replace(b"GET", b"POST") + b"hell"],
    ids=["first byte", "head", "body"],
)
def test_a_request_has_ten_seconds_to_arrive(raw: bytes, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            client = await start(service, raw)
            await service.pass_time(9.9)
            assert await is_open(client)
            await service.pass_time(0.2)
            assert (await client.reply()).status == 408
            assert await client.rest() == b""

    asyncio.run(scenario())


def test_a_byte_now_and_then_does_not_help(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            client = await service.connect()
            for byte in get("/")[:11]:
                await client.send(bytes([byte]))
                await settle()
                await service.pass_time(1.0)
            assert (await client.reply()).status == 408

    asyncio.run(scenario())


def test_the_deadline_of_the_body_begins_with_the_body(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            raw = get("/", "Content-Length: 2").replace(b"GET", b"POST")
            client = await start(service, raw[:-2])
            await service.pass_time(9.0)
            await client.send(raw[-2:])
            await settle()
            await service.pass_time(9.0)
            await client.send(b"ok")
            assert (await client.reply("POST")).body == b"ok"

    asyncio.run(scenario())


@pytest.mark.parametrize("first", [b"", get("/")], ids=["never used", "used"])
def test_an_idle_connection_is_closed_after_a_minute_without_a_word(first: bytes, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            client = await start(service, b"")
            await service.pass_time(30.0)
            if first:
                await client.ask(first)
            await service.pass_time(59.0 if first else 29.0)
            assert await is_open(client)
            await service.pass_time(1.1)
            assert await client.rest() == b""
            assert service.server.connection_count == 0

    asyncio.run(scenario())


def test_a_handler_at_work_is_not_idle(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            client = await start(service, get("/never"))
            await service.pass_time(3600.0)
            assert await is_open(client)

    asyncio.run(scenario())


def test_a_client_that_takes_nothing_is_cut(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            client = await service.connect(limit=1024)
            client.writer.transport.pause_reading()
            await client.send(get("/big"))
            await settle()
            await service.pass_time(1.0)
            await service.pass_time(8.0)
            assert service.server.connection_count == 1
            await service.pass_time(3.0)
            assert service.server.connection_count == 0
            client.writer.transport.resume_reading()
            assert len(await client.rest()) < len(BIG)

    asyncio.run(scenario())


@pytest.mark.parametrize("last", ["keep-alive", "close"])
def test_a_client_that_takes_a_little_now_and_then_is_served(last: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            client = await service.connect(limit=1024)
            client.writer.transport.pause_reading()
            await client.send(get("/big", f"Connection: {last}"))
            got = 0
            while got < len(BIG):
                await service.pass_time(9.0)
                client.writer.transport.resume_reading()
                piece = await client.reader.read(200_000)
                client.writer.transport.pause_reading()
                await settle()
                assert piece, f"cut after {got} bytes"
                got += len(piece)

    asyncio.run(scenario())


def test_a_refused_client_that_does_not_close_is_cut(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path, limits=Limits(linger_seconds=2.0)) as service:
            client = await start(service, b"nonsense\r\n")
            [connection] = service.server._connections
            assert connection.state == CLOSING
            assert (await client.reply()).status == 400
            await service.pass_time(1.9)
            assert service.server.connection_count == 1
            await service.pass_time(0.2)
            assert service.server.connection_count == 0

    asyncio.run(scenario())


def test_the_sweep_runs_by_itself_while_there_are_clients(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(routes(), tmp_path) as service:
            await settle()
            assert service.server._timer is None
            client = await start(service, b"")
            service.clock.advance(61.0)
            assert await client.rest() == b""  # the real timer, a second from now
            while service.server._timer is not None:  # and it ends by itself
                await asyncio.sleep(0.01)

    asyncio.run(scenario())
