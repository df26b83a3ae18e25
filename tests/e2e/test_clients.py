# SPDX-License-Identifier: MIT
"""Clients that mean no harm and clients that do, against the listeners of the real daemon."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
from collections.abc import Iterator

import psutil
import pytest

from tests.fixtures.host import Host
from tests.support.daemon import Daemon
from tests.support.processes import run
from tests.support.unix_http import Address, Client, connect, exchange

_LIMIT = 128  # connections a listener
_ASK = b"GET /v1 HTTP/1.1\r\nHost: hwinfod\r\n\r\n"


@contextlib.contextmanager
def clients(address: Address, count: int, say: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections, each of which has said this and no more."""
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(count):
            connection = stack.enter_context(connect(address))
            connection.setblocking(False)
            with contextlib.suppress(ConnectionError):
                connection.sendall(say)
            connections.append(connection)
        yield connections


def is_open(connection: socket.socket) -> bool:
    """Whether the server still has it; what it sent is read."""
    try:
        while connection.recv(1 << 16):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        pass
    return False


def fds(daemon: Daemon) -> int:
    return psutil.Process(daemon.pid).num_fds()


def addresses(daemon: Daemon) -> dict[str, Address]:
    return {"socket": daemon.socket, "tcp": daemon.tcp_address}


def test_a_thousand_idle_connections(minimal_host: Host) -> None:
    """Whoever has been idle for longest makes room. Another client is served at once."""
    with Daemon.start(host=minimal_host) as daemon:
        daemon.wait_samples(1)
        before = fds(daemon)
        for address in addresses(daemon).values():
            with contextlib.ExitStack() as stack:
                connections = [stack.enter_context(contextlib.closing(Client(address))) for _ in range(1000)]
                assert {connection.ask("/metrics?level=core").status for connection in connections} == {200}
                sockets = [connection.sock for connection in connections]
                for idle in sockets:
                    idle.setblocking(False)
                assert list(map(is_open, sockets)) == [False] * (1000 - _LIMIT) + [True] * _LIMIT
                with contextlib.closing(Client(address)) as client:
                    assert client.ask("/metrics").status == 200
                assert sum(map(is_open, sockets)) == _LIMIT - 1
            daemon.wait_until(lambda: fds(daemon) <= before, "closed descriptors")


def test_ten_thousand_scrapes_leak_no_descriptor(minimal_host: Host) -> None:
    with Daemon.start(host=minimal_host) as daemon:
        daemon.wait_samples(1)
        before = fds(daemon)
        for address in addresses(daemon).values():
            for _ in range(10):
                with contextlib.closing(Client(address)) as client:
                    assert {client.ask("/metrics?level=core").status for _ in range(400)} == {200}
            for _ in range(1000):
                with contextlib.closing(Client(address)) as client:
                    assert client.ask("/metrics?level=core").status == 200
        daemon.wait_until(lambda: fds(daemon) <= before, "closed descriptors")


def test_slow_clients_are_cut(host: Host) -> None:
    """One sends its head by the byte, one reads nothing of a stream. All the while others are served."""
    with Daemon.start(host=host) as daemon, connect(daemon.socket) as slow_loris, connect(daemon.socket) as slow_reader:
        slow_loris.setblocking(False)
        slow_reader.sendall(_ASK.replace(b"/v1", b"/v1/stream"))
        hung_up = select.poll()
        hung_up.register(slow_reader, 0)
        head, answer = iter(_ASK[:-2] + b"X-Slow: " + b"x" * 4000), bytearray()

        def is_refused() -> bool:
            with contextlib.suppress(ConnectionError):
                slow_loris.send(bytes([next(head)]))
            with contextlib.suppress(BlockingIOError):
                answer.extend(slow_loris.recv(4096))
            return b"\r\n\r\n" in answer

        daemon.wait_until(is_refused, "408")
        assert answer.startswith(b"HTTP/1.1 408 ")
        daemon.wait_until(lambda: bool(hung_up.poll(0)), "end of the stream")
        assert daemon.get("/v1").status == 200
        assert "Traceback" not in daemon.output()


def test_it_ends_quietly_under_a_thousand_clients(minimal_host: Host) -> None:
    stream, half = _ASK.replace(b"/v1", b"/v1/stream"), _ASK[:20]
    with Daemon.start(host=minimal_host) as daemon, contextlib.ExitStack() as stack:
        for say, count in ((stream, 100), (_ASK, 300), (half, 100)):
            stack.enter_context(clients(daemon.socket, count, say))
        for say, count in ((_ASK.replace(b"/v1", b"/metrics"), 400), (half, 100)):
            stack.enter_context(clients(daemon.tcp_address, count, say))
        before = len(daemon.output().splitlines())
        daemon.send(signal.SIGTERM)
        assert daemon.process.wait(60) == 0
        assert len(daemon.output().splitlines()) - before <= 5, daemon.output()
        assert "Traceback" not in daemon.output()
        assert not os.path.exists(daemon.socket)


_HEAD = b"Host: hwinfod\r\n\r\n"
REFUSED = {
    "no HTTP": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "HTTP/0.9": (400, b"GET /metrics\r\n\r\n"),
    "bare line feeds": (400, b"GET /metrics HTTP/1.1\nHost: hwinfod\n\n"),
    "a folded header": (400, b"GET /metrics HTTP/1.1\r\nA: b\r\n c\r\n" + _HEAD),
    "two lengths": (400, b"GET /metrics HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 1\r\n" + _HEAD),
    "a length and chunks": (
        400,
        b"GET /metrics HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n" + _HEAD,
    ),
    "a NUL": (400, b"GET /met\x00rics HTTP/1.1\r\n" + _HEAD),
    "no Host": (400, b"GET /metrics HTTP/1.1\r\n\r\n"),
    "a head of 9 KiB": (431, b"GET /metrics HTTP/1.1\r\nA: " + b"x" * 9216 + b"\r\n" + _HEAD),
    "a target of 5 KiB": (414, b"GET /" + b"x" * 5120 + b" HTTP/1.1\r\n" + _HEAD),
    "a body of 65 KiB": (413, b"POST /metrics HTTP/1.1\r\nContent-Length: 66560\r\n" + _HEAD),
    "chunks": (501, b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + _HEAD),
    "an unknown path": (404, b"GET /debug/pprof HTTP/1.1\r\n" + _HEAD),
    "a path that climbs": (404, b"GET /../etc/passwd HTTP/1.1\r\n" + _HEAD),
    "an unknown parameter": (400, b"GET /metrics?secret=needle HTTP/1.1\r\n" + _HEAD),
    "a method": (405, b"DELETE /metrics HTTP/1.1\r\n" + _HEAD),
    "a browser's script": (403, b"GET /metrics HTTP/1.1\r\nOrigin: http://evil.example\r\n" + _HEAD),
}
REFUSED_ON_THE_SOCKET = {
    "a link on a page": (403, b"GET /metrics HTTP/1.1\r\nReferer: http://evil.example/\r\n" + _HEAD),
    "another name for us": (403, b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
}


def test_what_is_no_request_is_refused(minimal_host: Host) -> None:
    """Each on a connection of its own. The answer repeats nothing of what was sent."""
    with Daemon.start(host=minimal_host) as daemon:
        local = {name: exchange(daemon.socket, data) for name, (_, data) in (REFUSED | REFUSED_ON_THE_SOCKET).items()}
        tcp = {name: exchange(daemon.tcp_address, data) for name, (_, data) in REFUSED.items()}
        assert {name: status(answer) for name, answer in tcp.items()} == {n: s for n, (s, _) in REFUSED.items()}
        expected = {name: status for name, (status, _) in (REFUSED | REFUSED_ON_THE_SOCKET).items()}
        assert {name: status(answer) for name, answer in local.items()} == expected
        answers = b"".join([*local.values(), *tcp.values()])
        assert not [word for word in (b"xxxx", b"passwd", b"pprof", b"needle", b"evil") if word in answers]
        assert status(exchange(daemon.tcp_address, REFUSED_ON_THE_SOCKET["another name for us"][1])) == 200
        assert "Traceback" not in daemon.output()


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12])


@pytest.mark.tier("curl")
def test_curl_as_the_documents_say(minimal_host: Host) -> None:
    with Daemon.start(host=minimal_host) as daemon:
        daemon.wait_samples(1)
        done = run("curl", "-sSf", "--unix-socket", daemon.socket, "http://hwinfod/v1/status")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["viewer"] in ("administrator", "user")
        done = run("curl", "-sSf", "--compressed", f"{daemon.url}/metrics")
        assert b"\nhw_cpu_threads 1\n" in done.stdout
