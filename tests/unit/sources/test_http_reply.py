# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.http_reply import Reply, exchange, parse_reply, parse_status


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", Reply(200, b"{}")),
        (b"HTTP/1.1 404 Not Found\r\nX: y\r\n\r\n", Reply(404, b"")),
        (b"HTTP/1.0 200\r\n\r\na\r\n\r\nb", Reply(200, b"a\r\n\r\nb")),
    ],
)
def test_answers(data: bytes, reply: Reply) -> None:
    assert parse_reply(data) == reply


@pytest.mark.parametrize(
    "data",
    [
        b"", b"HTTP/1.0 200 OK\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.0 2OO OK\r\n\r\n", b"HTTP/1.0 2000\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\n{}", b"HTTP/1.0 200 OK\r\nContent-Length: x\r\n\r\n",
    ],
)  # fmt: skip
def test_no_answers(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_reply(data)


def test_a_status_by_the_head_alone() -> None:
    assert parse_status(b"HTTP/1.0 200 OK\r\n\r\n") == 200
    assert parse_status(b"HTTP/1.1 404 Not Found\r\n\r\n") == 404
    for head in (b"", b"HTTP/2 200", b"HTTP/1.0 2x0 OK"):
        with pytest.raises(ParseError):
            parse_status(head)


@given(st.binary() | st.binary().map(lambda data: b"HTTP/1.0 200 OK\r\n" + data))
def test_anything_is_parsed_or_refused(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        reply = parse_reply(data)
        assert data.endswith(reply.body)
        assert 0 <= reply.status <= 999


def test_an_answer_is_read_to_its_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"one ")
        theirs.sendall(b"two")
        theirs.shutdown(socket.SHUT_WR)
        assert exchange(ours, b"ask", time.monotonic() + 60, 100) == b"one two"
        assert theirs.recv(10) == b"ask"


def test_a_byte_now_and_then_does_not_move_the_deadline() -> None:
    ours, theirs = socket.socketpair()
    over = threading.Event()

    def drip() -> None:
        with contextlib.suppress(OSError):
            while not over.wait(0.001):
                theirs.sendall(b".")

    thread = threading.Thread(target=drip)
    with ours, theirs:
        thread.start()
        try:
            with pytest.raises(TimeoutError):
                exchange(ours, b"ask", time.monotonic() + 0.05, 1 << 30)
        finally:
            over.set()
            thread.join()


def test_an_answer_has_a_limit() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"x" * 11)
        with pytest.raises(ParseError, match="more than"):
            exchange(ours, b"ask", time.monotonic() + 60, 10)
