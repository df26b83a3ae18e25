# SPDX-License-Identifier: MIT
"""Streams: chunk by chunk to who reads, cut for who does not, and never in the way of the generator's clean-up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hwinfod.serve.http import Request, Response, Router
from tests.support.http_service import Client, Service, get, serving, settle


class Source:
    """A stream that the test feeds; `closed` once its generator was cleaned up."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.started = False
        self.closed = False
        self.router = Router()
        self.router.add("GET", "/stream", self.respond)
        self.router.add("GET", "/document", self.respond_with_a_document)
        self.router.add("GET", "/", lambda request: Response(200, b"after"))

    def respond(self, request: Request) -> Response:
        return Response(200, content_type="application/x-ndjson", stream=self.records())

    def respond_with_a_document(self, request: Request) -> Response:
        return Response(200, stream=self.records(), ends=True)

    async def records(self) -> AsyncIterator[bytes]:
        self.started = True
        try:
            while (record := await self.queue.get()) is not None:
                if isinstance(record, Exception):
                    raise record
                yield record
        finally:
            self.closed = True


@contextlib.asynccontextmanager
async def streaming(tmp_path: Path) -> AsyncIterator[tuple[Source, Service]]:
    source = Source()
    async with serving(source.router, tmp_path) as service:
        yield source, service


async def open_stream(service: Service, path: str = "/stream") -> Client:
    client = await service.connect()
    await client.send(get(path))
    assert b"\r\nTransfer-Encoding: chunked\r\n" in await client.reader.readuntil(b"\r\n\r\n")
    return client


def test_each_record_is_sent_when_it_is_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with streaming(tmp_path) as (source, service):
            client = await open_stream(service)
            for record in (b'{"n":1}\n', b"a" * 20 + b"\n"):
                source.queue.put_nowait(record)
                size = int(await client.reader.readuntil(b"\r\n"), 16)
                assert await client.reader.readexactly(size + 2) == record + b"\r\n"

    asyncio.run(scenario())


def test_a_stream_that_ends_leaves_the_connection_usable(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with streaming(tmp_path) as (source, service):
            client = await service.connect()
            for record in (b"1\n", b"", b"2\n", None):
                source.queue.put_nowait(record)
            await client.send(get("/stream") + get("/"))
            assert (await client.reply()).body == b"1\n2\n"
            assert (await client.reply()).body == b"after"
            assert source.closed

    asyncio.run(scenario())


def test_http_1_0_gets_the_plain_bytes_until_the_connection_ends(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with streaming(tmp_path) as (source, service):
            for record in (b"1\n", b"2\n", None):
                source.queue.put_nowait(record)
            client = await service.connect()
            await client.send(b"GET /stream HTTP/1.0\r\n\r\n")
            head, _, body = (await client.rest()).partition(b"\r\n\r\n")
            assert b"Transfer-Encoding" not in head
            assert b"Connection: close" in head
            assert body == b"1\n2\n"

    asyncio.run(scenario())


def test_head_does_not_start_the_stream(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with streaming(tmp_path) as (source, service):
            client = await service.connect()
            reply = await client.ask(get("/stream").replace(b"GET", b"HEAD"))
            assert reply.headers["content-type"] == "application/x-ndjson"
            assert (await client.ask(get("/"))).body == b"after"
            assert not source.started

    asyncio.run(scenario())


@pytest.mark.parametrize("chunk_bytes", [300, 70_000, 5_000_000])
def test_a_reader_that_keeps_up_gets_everything(chunk_bytes: int, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with streaming(tmp_path) as (source, service):
            client = await service.connect()
            for _ in range(5_000_000 // chunk_bytes):
                source.queue.put_nowait(b"z" * chunk_bytes)
            source.queue.put_nowait(None)
            reply = await client.ask(get("/stream"))
            assert len(reply.body) == 5_000_000 // chunk_bytes * chunk_bytes

    asyncio.run(scenario())


@pytest.mark.parametrize("chunk_bytes", [1000, 100_000, 2_000_000])
def test_a_reader_that_falls_behind_is_cut_and_never_buffered_for(chunk_bytes: int, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with streaming(tmp_path) as (source, service):
            client = await open_stream(service)
            client.writer.transport.pause_reading()
            [connection] = service.server._connections
            for _ in range(4_000_000 // chunk_bytes):
                source.queue.put_nowait(b"z" * chunk_bytes)
                await settle(2)
                assert connection.outbox.unsent_bytes <= service.server.limits.unsent_bytes
            assert connection.outbox.unsent_bytes > service.server.limits.unsent_bytes // 2
            assert not source.closed
            await service.pass_time(1.1)
            assert service.server.connection_count == 0
            assert source.closed

    asyncio.run(scenario())


def test_a_document_waits_for_a_slow_reader_and_is_not_buffered_for(tmp_path: Path) -> None:
    """Until it takes nothing at all."""

    async def scenario() -> None:
        async with streaming(tmp_path) as (source, service):
            client = await open_stream(service, "/document")
            client.writer.transport.pause_reading()
            [connection] = service.server._connections
            for _ in range(40):
                source.queue.put_nowait(b"z" * 100_000)
                await settle(2)
                assert connection.outbox.unsent_bytes <= service.server.limits.unsent_bytes
            await service.pass_time(5.0)
            assert not source.closed
            await service.pass_time(11.0)
            assert source.closed

    asyncio.run(scenario())


def test_a_reader_that_reads_nothing_of_a_little_is_cut_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with streaming(tmp_path) as (source, service):
            client = await open_stream(service)
            client.writer.transport.pause_reading()
            [connection] = service.server._connections
            while not connection.outbox.unsent_bytes:  # fill the kernel's buffer and a little more
                source.queue.put_nowait(b"z" * 10_000)
                await settle(2)
            await service.pass_time(1.0)
            await service.pass_time(8.0)
            assert not source.closed
            await service.pass_time(3.0)
            assert source.closed

    asyncio.run(scenario())


def test_a_silent_stream_is_not_idle(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with streaming(tmp_path) as (source, service):
            client = await open_stream(service)
            await service.pass_time(3600.0)
            source.queue.put_nowait(b"1\n")
            assert await client.reader.readuntil(b"1\n\r\n") == b"2\r\n1\n\r\n"

    asyncio.run(scenario())


@pytest.mark.parametrize("half", [False, True], ids=["closed", "half-closed"])
def test_a_client_that_leaves_ends_the_stream(half: bool, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with streaming(tmp_path) as (source, service):
            client = await open_stream(service)
            if half:
                client.writer.write_eof()
            else:
                await client.close()
            await service.emptied()
            assert source.closed

    asyncio.run(scenario())


def test_a_stream_that_fails_is_seen_to_be_broken_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with streaming(tmp_path) as (source, service):
            for _ in range(2):
                client = await open_stream(service)
                source.queue.put_nowait(b"1\n")
                source.queue.put_nowait(RuntimeError("no more"))
                got = await client.rest()
                assert not got.endswith(b"0\r\n\r\n")
            assert source.closed

    asyncio.run(scenario())
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == ["sending a stream failed: RuntimeError"]


def test_any_iterator_that_can_be_closed_is(tmp_path: Path) -> None:
    """A generator would be closed by asyncio too, some time later; another iterator by nobody else."""

    class Endless:
        closed = False

        def __aiter__(self) -> Endless:
            return self

        async def __anext__(self) -> bytes:
            return b"z" * 100_000

        async def aclose(self) -> None:
            self.closed = True

    async def scenario() -> None:
        endless = Endless()
        router = Router()
        router.add("GET", "/stream", lambda request: Response(200, stream=endless))
        async with serving(router, tmp_path) as service:
            client = await open_stream(service)
            client.writer.transport.pause_reading()
            await settle()
            await service.pass_time(1.1)
            assert endless.closed

    asyncio.run(scenario())


def test_closing_the_server_closes_generators(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with streaming(tmp_path) as (source, service):
            await open_stream(service)
            await service.server.close()
            await settle()
            assert source.closed

    asyncio.run(scenario())
