# SPDX-License-Identifier: MIT
"""gRPC against servers that hang, refuse, end, send garbage, or send without end: each is an error of ours, in time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwinfod.errors import Gone, HwinfodError, ReadError
from hwinfod.owners.runtimes import grpc
from hwinfod.owners.runtimes.errors import CallFailed, Ended
from hwinfod.owners.runtimes.grpc import Channel
from tests.support.grpc_server import GrpcServer

ECHO, LIST, EVENTS = "/t.T/Echo", "/t.T/List", "/t.T/Events"


@pytest.fixture
def server(directory: Path) -> Iterator[GrpcServer]:
    server = GrpcServer(directory / "s")
    server.answers = {
        ECHO: lambda request, metadata: request + metadata.get("scope", "").encode(),
        LIST: lambda *_: [b"1", b"2", b"3"],
    }
    server.streams = {EVENTS}
    server.start()
    yield server
    server.stop()


def use(path: Path, act: Callable[[Channel], Awaitable[object]], *, most_bytes: int = 1 << 20) -> object:
    """Runs one coroutine with a channel, as a lane's loop does."""

    async def run() -> object:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        channel = Channel(str(path), most_bytes=most_bytes)
        try:
            return await act(channel)
        finally:
            channel.close()
            await asyncio.sleep(0)

    return asyncio.run(run())


def test_a_call(server: GrpcServer) -> None:
    assert use(server.path, lambda channel: channel.call(ECHO, b"x", {"scope": "y"})) == b"xy"
    assert use(server.path, lambda channel: channel.call(ECHO)) == b""


def test_a_list_that_ends(server: GrpcServer) -> None:
    async def collect(channel: Channel) -> list[bytes]:
        return [message async for message in channel.replies(LIST)]

    assert use(server.path, collect) == [b"1", b"2", b"3"]


def test_a_stream_waits_and_loses_nothing_by_it(server: GrpcServer) -> None:
    async def follow(channel: Channel) -> list[bytes | None]:
        async with channel.stream(EVENTS) as events:
            found = [await events.next(0), await events.next(0.01)]
            while not server.listeners:
                await events.next(0.01)
            for message in (b"1", b"2", b"x" * 100_000):
                server.push(EVENTS, message)
            return [*found, await events.next(60), await events.next(60), await events.next(60)]

    assert use(server.path, follow) == [None, None, b"1", b"2", b"x" * 100_000]


def test_a_stream_that_the_server_ends(server: GrpcServer) -> None:
    async def follow(channel: Channel) -> None:
        async with channel.stream(LIST) as events:
            while True:
                await events.next(60)

    with pytest.raises(Ended):
        use(server.path, follow)


def test_a_server_that_goes_away_ends_the_stream(server: GrpcServer) -> None:
    async def follow(channel: Channel) -> None:
        async with channel.stream(EVENTS) as events:
            while not server.listeners:
                await events.next(0.01)
            server.stop()
            await events.next(60)

    with pytest.raises(CallFailed):
        use(server.path, follow)


@pytest.mark.parametrize(
    "status", [Status.UNAVAILABLE, Status.NOT_FOUND, Status.UNIMPLEMENTED, Status.PERMISSION_DENIED]
)
def test_a_refusal_has_its_status(server: GrpcServer, status: Status) -> None:
    def refuse(*_: object) -> bytes:
        raise GRPCError(status, "not\nnow")

    server.answers[ECHO] = refuse
    with pytest.raises(CallFailed) as failed:
        use(server.path, lambda channel: channel.call(ECHO))
    assert failed.value.status == status.name
    assert str(failed.value) == f"{server.path}: {ECHO}: {status.name} not now"


def test_a_server_that_hangs_is_left(server: GrpcServer) -> None:
    server.hangs = {ECHO}
    with pytest.raises(ReadError) as late:
        use(server.path, lambda channel: channel.call(ECHO, seconds=0.05))
    assert not isinstance(late.value, Gone)


def test_no_socket(directory: Path) -> None:
    with pytest.raises(Gone):
        use(directory / "none", lambda channel: channel.call(ECHO))


def test_a_socket_that_nobody_listens_at(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "s"))
        with pytest.raises(ReadError):
            use(directory / "s", lambda channel: channel.call(ECHO))


def test_an_answer_that_is_too_long_is_left(server: GrpcServer) -> None:
    server.answers[ECHO] = lambda *_: b"x" * 300_000
    assert len(use(server.path, lambda channel: channel.call(ECHO))) == 300_000  # type: ignore[arg-type]
    with pytest.raises(CallFailed, match="more than 100000 bytes"):
        use(server.path, lambda channel: channel.call(ECHO), most_bytes=100_000)


def test_what_was_taken_is_not_counted_again(server: GrpcServer) -> None:
    server.answers[ECHO] = lambda *_: b"x" * 60_000

    async def ask(channel: Channel) -> int:
        return sum([len(await channel.call(ECHO)) for _ in range(5)])

    assert use(server.path, ask, most_bytes=100_000) == 300_000


@contextlib.contextmanager
def answering(path: Path, answer: bytes) -> Iterator[None]:
    """A server that answers whatever comes with these bytes."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(60)
            path.unlink()


SETTINGS = b"\0\0\0\4\0\0\0\0\0"
HEADERS = b"\0\0\1\1\4\0\0\0\1\x88"  # :status 200 alone
GARBAGE = [
    b"", b"\0", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 100, SETTINGS, SETTINGS + b"\xff" * 100,
    SETTINGS + HEADERS, SETTINGS + HEADERS + b"\0\0\5\0\1\0\0\0\1\1\0\0\0\0",
    SETTINGS + HEADERS.replace(b"\x88", b"\xff"),
]  # fmt: skip


@pytest.mark.parametrize("answer", GARBAGE)
def test_garbage_is_an_error_of_ours(directory: Path, answer: bytes) -> None:
    with answering(directory / "s", answer), pytest.raises(HwinfodError):
        use(directory / "s", lambda channel: channel.call(ECHO, seconds=1))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_are_an_error_of_ours(directory: Path, answer: bytes, settled: bool) -> None:
    with answering(directory / "s", SETTINGS + answer if settled else answer), pytest.raises(HwinfodError):
        use(directory / "s", lambda channel: channel.call(ECHO, seconds=1))


def test_protobufs_runtime_is_not_imported() -> None:
    assert grpc.__name__ == "hwinfod.owners.runtimes.grpc"
    program = f"import {grpc.__name__}, sys; print('google.protobuf' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
