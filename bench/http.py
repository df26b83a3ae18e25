# SPDX-License-Identifier: MIT
"""What the HTTP server costs for a body that is made already: 60 kB over a kept connection, against the least that
asyncio can do, a Protocol and a BufferedProtocol that answer whatever comes with the same bytes."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.cost import cpu_seconds
from bench.report import Line, ratio_line
from hwinfod.serve.http import HttpServer, Response, Router, local_policy
from tests.support.unix_http import connect

_ROUNDS = 9
_REQUESTS = 1500
_BODY = b"hw_cpu_seconds_total 1\n" * 2600
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
_SCRAPE = (  # as Prometheus sends it
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Prometheus/2.42.0\r\n"
    b"Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    b"text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"
)


def measure() -> list[Line]:
    costs: dict[str, list[float]] = {kind: [] for kind in ("ours", *_BARE)}
    with tempfile.TemporaryDirectory() as directory:
        paths = {kind: str(Path(directory, kind)) for kind in costs}
        command = [sys.executable, "-m", "bench.http"]
        servers = {
            kind: subprocess.Popen([*command, kind, path], stdout=subprocess.PIPE) for kind, path in paths.items()
        }
        try:
            clients = {}
            for kind, server in servers.items():
                assert server.stdout is not None
                assert server.stdout.readline() == b"ready\n"
                clients[kind] = connect(paths[kind])
                _seconds_a_request(server.pid, clients[kind])  # warm
            for _ in range(_ROUNDS):
                for kind, server in servers.items():
                    costs[kind].append(_seconds_a_request(server.pid, clients[kind]))
        finally:
            for server in servers.values():
                server.terminate()
                server.wait()
    note = f"{len(_BODY) // 1000} kB over a Unix socket, keep-alive"
    return [
        Line("a cached body over HTTP", median(costs["ours"]) * 1e6, "us", note=f"CPU; {note}"),
        ratio_line("a cached body / bare asyncio.Protocol", costs["ours"], costs["protocol"], 1.0, note),
        ratio_line("a cached body / bare asyncio.BufferedProtocol", costs["ours"], costs["buffered"], 1.5, note),
    ]


def _seconds_a_request(pid: int, client: socket.socket) -> float:
    before = cpu_seconds(pid)
    for _ in range(_REQUESTS):
        client.sendall(_SCRAPE)
        received = client.recv(65536)
        missing = len(_BODY) + received.index(b"\r\n\r\n") + 4 - len(received)
        while missing:
            missing -= len(client.recv(missing))
    return (cpu_seconds(pid) - before) / _REQUESTS


class _Protocol(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, _data: bytes) -> None:
        self.transport.write(_REPLY)


class _BufferedProtocol(asyncio.BufferedProtocol):
    buffer = memoryview(bytearray(32768))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, _nbytes: int) -> None:
        self.transport.write(_REPLY)


_BARE = {"protocol": _Protocol, "buffered": _BufferedProtocol}


async def _serve(kind: str, path: str) -> None:
    if kind in _BARE:
        await asyncio.get_running_loop().create_unix_server(_BARE[kind], path)
    else:
        kept = Response(200, _BODY, content_type="text/plain; version=0.0.4; charset=utf-8", etag="1")
        router = Router()
        router.add("GET", "/metrics", lambda _request: kept)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        HttpServer(router, local_policy).start([listener])
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
