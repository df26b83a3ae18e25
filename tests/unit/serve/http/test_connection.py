# SPDX-License-Identifier: MIT
"""One connection, over real sockets: framing, order, refusals, and clients that leave."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwinfod.serve.http import Peer, Request, Response, Router, web_policy
from hwinfod.serve.tcp_sockets import open_tcp_sockets
from tests.support.http_service import Service, get, serving, settle

BODY = b"x" * 60_000


class Routes(Router):
    """The routes of these tests; what handlers saw is in `requests` and `cancelled`."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.cancelled = 0
        self.gate = asyncio.Event()
        kept = Response(200, BODY, content_type="text/plain", etag="7", compressible=True)
        self.add("GET", "/kept", lambda request: kept)
        self.add("GET", "/big", lambda request: Response(200, b"y" * 3_000_000))
        self.add("POST", "/echo", self.echo)
        self.add("GET", "/wait/{name}", self.wait)

    def echo(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(200, request.body, content_type="text/plain")

    async def wait(self, request: Request, name: str) -> Response:
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Response(200, name.encode())


@contextlib.asynccontextmanager
async def unix(tmp_path: Path) -> AsyncIterator[tuple[Service, Routes]]:
    routes = Routes()
    async with serving(routes, tmp_path) as service:
        yield service, routes


@contextlib.asynccontextmanager
async def tcp() -> AsyncIterator[tuple[Service, Routes]]:
    routes = Routes()
    async with serving(routes, open_tcp_sockets("127.0.0.1:0"), policy=web_policy) as service:
        yield service, routes


def test_requests_on_one_connection(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, _):
            client = await service.connect()
            for _ in range(3):
                reply = await client.ask(get("/kept"))
                assert (reply.status, reply.body) == (200, BODY)
            head = await client.ask(get("/kept").replace(b"GET", b"HEAD"))
            assert (head.status, head.headers["content-length"], head.body) == (200, "60000", b"")
            packed = await client.ask(get("/kept", "Accept-Encoding: gzip"))
            assert gzip.decompress(packed.body) == BODY
            known = await client.ask(get("/kept", f"If-None-Match: {packed.headers['etag']}"))
            assert (known.status, known.body) == (304, b"")
            wrong = await client.ask(get("/kept").replace(b"GET", b"PUT"))
            assert (wrong.status, wrong.headers["allow"]) == (405, "GET, HEAD")
            assert (await client.ask(get("/nowhere"))).status == 404
            assert (await client.ask(get("/kept"))).status == 200

    asyncio.run(scenario())


def test_what_the_handler_sees(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, routes):
            raw = get("/echo?a=1&a=2&b=%20", "X-A: 1", "x-a: 2", "Content-Length: 5").replace(b"GET", b"POST")
            assert (await service.ask(raw + b"hello")).body == b"hello"
            request = routes.requests[0]
            assert (request.method, request.path, request.body) == ("POST", "/echo", b"hello")
            assert request.query == {"a": ["1", "2"], "b": [" "]}
            assert request.headers["x-a"] == "1, 2"
            assert request.peer == Peer(os.getpid(), os.getuid(), os.getgid(), tuple(os.getgroups()))
            assert not request.secure

    asyncio.run(scenario())


def test_tcp_has_no_peer() -> None:
    async def scenario() -> None:
        routes = Routes()
        routes.add("GET", "/peer", lambda request: Response(200, str(request.peer).encode()))
        async with serving(routes, open_tcp_sockets("127.0.0.1:0"), policy=web_policy) as service:
            assert (await service.ask(get("/peer"))).body == b"None"
            assert (await service.ask(get("/echo").replace(b"GET", b"POST"))).status == 405
            assert (await service.ask(get("/kept", "Origin: http://evil"))).status == 403

    asyncio.run(scenario())


def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, routes):
            client = await service.connect()
            await client.send(get("/wait/first") + get("/kept") + get("/wait/third") + get("/nowhere"))
            await settle()
            routes.gate.set()
            replies = [await client.reply() for _ in range(4)]
            assert [reply.status for reply in replies] == [200, 200, 200, 404]
            assert [replies[0].body, replies[1].body, replies[2].body] == [b"first", BODY, b"third"]

    asyncio.run(scenario())


def test_many_pipelined_requests_leave_others_their_turn(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, routes):
            greedy, other = await service.connect(), await service.connect()
            await settle()
            order: list[str] = []
            routes.add("GET", "/greedy", lambda request: order.append("greedy") or Response(200))
            routes.add("GET", "/other", lambda request: order.append("other") or Response(200))
            await greedy.send(get("/greedy") * 500)
            await other.send(get("/other"))
            assert (await other.reply()).status == 200
            for _ in range(500):
                assert (await greedy.reply()).status == 200
            assert order.count("greedy") == 500
            assert order.index("other") < 400

    asyncio.run(scenario())


def test_a_client_that_pipelines_and_never_reads_is_held_in_bounds(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, _):
            client = await service.connect(limit=1024)
            client.writer.transport.pause_reading()
            client.writer.write(get("/kept") * 50_000)
            await settle(200)
            [connection] = service.server._connections
            assert 0 < connection.outbox.unsent_bytes <= service.server.limits.unsent_bytes
            assert len(connection._buffer) < 128 << 10  # the rest of the requests waits in the kernel
            client.writer.transport.resume_reading()
            for _ in range(100):
                assert (await client.reply()).body == BODY

    asyncio.run(scenario())


@settings(max_examples=60)
@given(st.data())
def test_replies_do_not_depend_on_how_the_bytes_arrive(data: st.DataObject) -> None:
    requests = [
        get("/kept"),
        get("/echo", "Content-Length: 300").replace(b"GET", b"POST") + b"z" * 300,
        get("/nowhere").replace(b"GET", b"HEAD"),
        get("/echo", "Content-Length: 0").replace(b"GET", b"POST"),
        get("/kept", "Connection: close"),
    ]
    raw = b"".join(requests)
    cuts = sorted({0, len(raw)} | data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=12)))

    async def scenario() -> None:
        near, far = socket.socketpair()
        routes = Routes()
        async with serving_one(routes, far):
            reader, writer = await asyncio.open_unix_connection(sock=near)
            for begin, end in pairwise(cuts):
                writer.write(raw[begin:end])
                await settle(6)
            got = await reader.read()
            writer.close()
            await writer.wait_closed()
        assert got.count(b"HTTP/1.1 200 OK\r\n") == 4
        assert got.count(b"HTTP/1.1 404 Not Found\r\n") == 1
        assert got.count(b"x" * 60_000) == 2
        assert [request.body for request in routes.requests] == [b"z" * 300, b""]

    asyncio.run(scenario())


@contextlib.asynccontextmanager
async def serving_one(routes: Router, client: socket.socket) -> AsyncIterator[None]:
    """A server without a listener that is given one connected socket."""
    async with serving(routes, []) as service:
        service.server._welcome(client)
        await settle()
        yield


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (400, b"GET / HTTP/1.1\nHost: hwinfod\n\n"),
        (400, b"GET /\r\n"),
        (400, b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"),
        (400, b"GET / HTTP/1.1\r\nHost: hwinfod\r\nX: a\r\n b\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\n\r\n"),
        (400, get("/", "Content-Length: 1", "Content-Length: 1")),
        (400, get("/", "Content-Length: 3", "Transfer-Encoding: chunked") + b"0\r\n\r\n"),
        (501, get("/", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n"),
        (415, get("/", "Content-Encoding: gzip")),
        (413, get("/", "Content-Length: 65537")),
        (414, get("/" + "a" * 5000)),
        (431, get("/", "X: " + "a" * 9216)),
        (431, b"GET / HTTP/1.1\r\nX: " + b"a" * 9216),
        (404, get("/a/../b")),
        (404, get("/%2e%2e/etc/passwd")),
        (404, get("/v1%2fstatus")),
    ],
)
def test_a_refused_request_gets_a_problem_and_the_end_of_the_connection(
    status: int, raw: bytes, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, _):
            client = await service.connect()
            await client.send(raw + get("/kept"))
            reply = await client.reply()
            assert (reply.status, json.loads(reply.body)["status"]) == (status, status)
            assert reply.headers["content-type"] == "application/problem+json"
            assert reply.headers["connection"] == "close"
            assert await client.rest() == b""

    asyncio.run(scenario())


def test_a_refusal_is_read_by_a_client_that_is_still_sending() -> None:
    async def scenario() -> None:
        async with tcp() as (service, _):
            client = await service.connect()
            await client.send(get("/kept", "Content-Length: 100000000"))
            for _ in range(20):
                await client.send(b"z" * 65536)
                await settle(4)
            [connection] = service.server._connections
            assert not connection._buffer  # read and dropped
            assert (await client.reply()).status == 413

    asyncio.run(scenario())


def test_a_body_of_the_allowed_size(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, _):
            raw = get("/echo", "Content-Length: 65536").replace(b"GET", b"POST")
            assert (await service.ask(raw + b"z" * 65536)).body == b"z" * 65536

    asyncio.run(scenario())


def test_a_head_that_was_seen_before_still_waits_for_its_body(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, _):
            client = await service.connect()
            for body in (b"first", b"again"):
                await client.send(get("/echo", "Content-Length: 5").replace(b"GET", b"POST"))
                await settle()
                await client.send(body)
                assert (await client.reply("POST")).body == body

    asyncio.run(scenario())


def test_a_head_that_was_seen_before_does_not_jump_the_queue(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, _):
            client = await service.connect()
            await client.ask(get("/kept"))
            client.writer.write(get("/nowhere") * 300)
            await settle(3)
            client.writer.write(get("/kept"))
            statuses = [(await client.reply()).status for _ in range(301)]
            assert statuses == [404] * 300 + [200]

    asyncio.run(scenario())


def test_expect_100_continue(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, _):
            client = await service.connect()
            await client.send(get("/echo", "Content-Length: 5", "Expect: 100-continue").replace(b"GET", b"POST"))
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await client.send(b"hello")
            assert (await client.reply("POST")).body == b"hello"

    asyncio.run(scenario())


@pytest.mark.parametrize("raw", [b"GET /kept HTTP/1.0\r\n\r\n", get("/kept", "Connection: close")])
def test_the_last_reply_ends_the_connection(raw: bytes, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, _):
            client = await service.connect()
            reply = await client.ask(raw)
            assert (reply.body, reply.headers["connection"]) == (BODY, "close")
            assert await client.rest() == b""
            await client.close()
            await settle()
            assert service.server.connection_count == 0

    asyncio.run(scenario())


def test_a_long_body_goes_out_whole_and_in_bounds(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, _):
            client = await service.connect()
            await client.send(get("/big") + get("/kept"))
            await settle()
            [connection] = service.server._connections
            assert connection.outbox.unsent_bytes <= service.server.limits.unsent_bytes
            assert (await client.reply()).body == b"y" * 3_000_000
            assert (await client.reply()).body == BODY

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/kept", "/big", "/wait/half"])
def test_a_half_closed_client_still_gets_its_reply(path: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, routes):
            client = await service.connect()
            await client.send(get(path))
            client.writer.write_eof()
            await settle()
            routes.gate.set()
            assert (await client.reply()).status == 200
            assert await client.rest() == b""
            await client.close()
            await settle()
            assert service.server.connection_count == 0
            assert routes.cancelled == 0

    asyncio.run(scenario())


def test_a_half_closed_client_with_half_a_request_is_closed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, _):
            client = await service.connect()
            await client.send(get("/kept") + b"GET /ke")
            client.writer.write_eof()
            assert (await client.reply()).status == 200
            assert await client.rest() == b""

    asyncio.run(scenario())


@pytest.mark.parametrize("served", [unix, lambda _: tcp()], ids=["unix", "tcp"])
def test_a_client_that_leaves_cancels_its_handler(served: Callable[..., object], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path) as (service, routes):
            client = await service.connect()
            await client.send(get("/wait/gone"))
            await settle()
            await client.close()
            await service.emptied()
            assert routes.cancelled == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/big", "/wait/reset"])
def test_a_reset_in_the_middle_of_a_reply_is_quiet(path: str) -> None:
    async def scenario() -> None:
        async with tcp() as (service, _):
            client = await service.connect()
            sock = client.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await client.send(get(path) * 40)
            await settle()
            client.writer.transport.abort()
            await service.emptied()

    asyncio.run(scenario())


def test_many_replies_to_a_client_that_left_are_quiet(tmp_path: Path) -> None:
    """asyncio warns of each write after the fifth to a connection that is lost and not yet told so."""

    async def scenario() -> None:
        async with unix(tmp_path) as (service, _):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(service.address)
                client.sendall(get("/nowhere") * 16)
            await settle()
            await service.emptied()

    asyncio.run(scenario())


def test_a_handler_that_cancels_itself_ends_its_connection(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with unix(tmp_path) as (service, routes):

            async def cancels(request: Request) -> Response:
                raise asyncio.CancelledError

            routes.add("GET", "/cancels", cancels)
            client = await service.connect()
            await client.send(get("/cancels"))
            assert await client.rest() == b""

    asyncio.run(scenario())


def test_a_handler_is_begun_before_it_is_cancelled(tmp_path: Path) -> None:
    """A coroutine that never began would be reported by Python as "never awaited", on a daemon's stderr."""

    async def scenario() -> None:
        async with unix(tmp_path) as (service, routes):
            client = await service.connect()
            await settle()
            [connection] = service.server._connections
            raw = get("/wait/lost")
            connection.get_buffer(-1)[: len(raw)] = raw
            connection.buffer_updated(len(raw))
            connection.connection_lost(None)  # as when the write before it failed, in the same turn of the loop
            await settle()
            gc.collect()
            assert routes.cancelled == 1
            await client.close()

    asyncio.run(scenario())
