# SPDX-License-Identifier: MIT
"""HTTP for tests, over a Unix socket or TCP: a well-behaved client, and raw bytes for everything else."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_TIMEOUT_SECONDS = 60.0
Address = str | tuple[str, int]  # a socket's path, or host and port


class Reply(NamedTuple):
    """`headers` have lower-case names. `body` is unpacked when the server sent gzip."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


def connect(address: Address) -> socket.socket:
    """A connected stream socket."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(_TIMEOUT_SECONDS)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


class Client(http.client.HTTPConnection):
    """One connection, kept open over requests. The Host header is `hwinfod`, as in the documentation's curl line."""

    def __init__(self, address: Address) -> None:
        super().__init__("hwinfod", timeout=_TIMEOUT_SECONDS)
        self._address = address

    def connect(self) -> None:
        self.sock = connect(self._address)

    def ask(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        self.request(method, path, body=body, headers=dict(headers or {}))
        response = self.getresponse()
        data = response.read()
        fields = {name.lower(): value for name, value in response.getheaders()}
        if fields.get("content-encoding") == "gzip":
            data = gzip.decompress(data)
        return Reply(response.status, fields, data)


def get(address: Address, path: str, **headers: str) -> Reply:
    """One GET on a connection of its own. Header names are given with underscores."""
    with contextlib.closing(Client(address)) as client:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.ask(path, headers={"Connection": "close", **named})


def records(address: Address, path: str) -> Iterator[Any]:
    """The records of an NDJSON stream, as they come. Closing the iterator hangs up."""
    with contextlib.closing(Client(address)) as client:
        client.request("GET", path)
        response = client.getresponse()
        if response.status != 200:
            raise AssertionError(f"{path}: {response.status} {response.read()!r}")
        while line := response.readline():
            yield json.loads(line)


def exchange(address: Address, data: bytes, *, end: bool = True) -> bytes:
    """Send bytes as they are and read until the server hangs up: for requests that no client would make.
    `end` closes our half, so that a server that waits for more sees that there is none."""
    with connect(address) as connection:
        try:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it had read enough, and answered
        return _until_end(connection)


def _until_end(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)
