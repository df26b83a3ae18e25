# SPDX-License-Identifier: MIT
"""The tools that start programs and talk to them tell the truth, and leave nothing running."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.notify import NotifySocket
from tests.support.processes import Failed, Program, running
from tests.support.unix_http import exchange, get, records

LISTEN = """
import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print("listening", flush=True); time.sleep(600)
"""
NOTIFY = """
import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"READY=1\\nSTATUS=three collectors", os.environ["NOTIFY_SOCKET"]); time.sleep(600)
"""


def python(code: str, **environ: str) -> Program:
    return Program([sys.executable, "-c", code], environ={**os.environ, **environ})


def test_a_program_is_waited_for_and_ended() -> None:
    with running(python(LISTEN)) as program:
        program.wait_until(lambda: bool(program.tcp_ports()), "listening")
        assert program.output() == "listening\n"
        (port,) = program.tcp_ports()
        socket.create_connection(("127.0.0.1", port)).close()
        assert program.stop() == -signal.SIGTERM
    assert not psutil.pid_exists(program.pid)


def test_a_program_that_dies_is_told_with_its_output() -> None:
    with (
        running(python("import sys; print('no such flag'); sys.exit(2)")) as program,
        pytest.raises(Failed, match=r"exited with 2 before READY(?s:.*)no such flag"),
    ):
        program.wait_until(lambda: False, "READY")


def test_a_program_is_gone_after_the_block_whatever_happened() -> None:
    with pytest.raises(ZeroDivisionError), running(python("import time; time.sleep(600)")) as program:
        raise ZeroDivisionError
    assert program.process.returncode == -signal.SIGKILL


def test_what_a_service_says_is_kept(tmp_path: Path) -> None:
    notified = NotifySocket(str(tmp_path / "notify"))
    with running(python(NOTIFY, NOTIFY_SOCKET=notified.path)) as program:
        program.wait_until(lambda: notified.has("READY", "1"), "READY")
    assert notified.all("STATUS") == ["three collectors"]
    assert not notified.has("WATCHDOG")
    assert not notified.has("READY", "0")
    notified.forget()
    assert not notified.has("READY")
    notified.close()
    assert not os.path.exists(notified.path)


@pytest.fixture
def canned(tmp_path: Path) -> Iterator[tuple[str, list[bytes]]]:
    """A server that sends what the test put into the list, one item a connection, whatever it is asked."""
    path = str(tmp_path / "s")
    replies: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                request = connection.recv(65536)
                if request == b"stop":
                    return
                connection.sendall(replies.pop(0).replace(b"REQUEST", request))

    thread = threading.Thread(target=serve)
    thread.start()
    yield path, replies
    exchange(path, b"stop")
    thread.join()
    listener.close()


def test_the_client_speaks_http_over_a_unix_socket(canned: tuple[str, list[bytes]]) -> None:
    path, replies = canned
    replies.append(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX-Kind: test\r\n\r\n{"a": 17}')
    reply = get(path, "/v1/status", Accept_Encoding="gzip")
    assert (reply.status, reply.headers["x-kind"], reply.json()) == (200, "test", {"a": 17})
    replies.append(b"")
    with pytest.raises(ConnectionError):
        get(path, "/v1/status")


def test_a_stream_is_read_as_it_comes(canned: tuple[str, list[bytes]]) -> None:
    path, replies = canned
    replies.append(b'HTTP/1.1 200 OK\r\n\r\n{"n": 1}\n{"n": 2}\n')
    assert [record["n"] for record in records(path, "/v1/stream")] == [1, 2]
    replies.append(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(AssertionError, match="404"):
        next(records(path, "/v1/stream"))


def test_raw_bytes_arrive_as_they_are(canned: tuple[str, list[bytes]]) -> None:
    path, replies = canned
    replies.append(b"REQUEST")
    assert exchange(path, b"GET / HTTP/1.1\nfolded:\n a\x00\xff") == b"GET / HTTP/1.1\nfolded:\n a\x00\xff"
