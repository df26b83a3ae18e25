# SPDX-License-Identifier: MIT
"""HTTP/1.1 to the daemon's Unix socket, in the standard library's socket alone: http.client would double the time
that hwinfoctl takes to start."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from hwinfod.ctl.failures import DENIED, FAILED, UNREACHABLE, USAGE, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT_SECONDS = 10.0
_STARTING_SECONDS = 2.0  # a daemon that restarts has no socket for a moment
_STATUS_OF_HTTP = {400: USAGE, 401: DENIED, 403: DENIED}


class Client:
    """One daemon. Every call is a connection of its own."""

    def __init__(self, path: str) -> None:
        self.path = path

    def get(self, path: str, query: Mapping[str, str | list[str]] | None = None) -> Any:
        """The document at an API path. Raises Failure."""
        return json.loads(self.request("GET", path, query))

    def request(self, method: str, path: str, query: Mapping[str, str | list[str]] | None = None) -> bytes:
        """The body of an answer. Raises Failure for anything but a 2xx."""
        with self._open(method, path, query) as connection, connection.makefile("rb") as reader:
            status, headers = _read_head(reader)
            body = b"".join(_read_body(reader, headers))
        if not 200 <= status < 300:
            raise _refusal(status, body)
        return body

    def lines(self, path: str, query: Mapping[str, str | list[str]] | None = None) -> Iterator[Any]:
        """The records of a stream as they come, for as long as the daemon lives. Raises Failure."""
        with self._open("GET", path, query) as connection, connection.makefile("rb") as reader:
            status, headers = _read_head(reader)
            if status != 200:
                raise _refusal(status, b"".join(_read_body(reader, headers)))
            connection.settimeout(None)
            rest = b""
            for chunk in _read_body(reader, headers):
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield json.loads(line)

    def _open(self, method: str, path: str, query: Mapping[str, str | list[str]] | None) -> socket.socket:
        target = quote(path, safe="/%:@!$&'()*+,;=~?") + (f"?{urlencode(query, doseq=True)}" if query else "")
        connection = self._connect()
        try:
            connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: hwinfod\r\nConnection: close\r\n\r\n".encode())
        except OSError as error:
            connection.close()
            raise Failure(f"the daemon hung up: {error.strerror}", status=UNREACHABLE) from None
        return connection

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + _STARTING_SECONDS
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(_TIMEOUT_SECONDS)
            try:
                connection.connect(self.path)
            except ConnectionRefusedError:  # the file is there and nobody listens yet, or any more
                connection.close()
                if time.monotonic() > deadline:
                    raise _unreachable(f"nothing listens at {self.path}") from None
                time.sleep(0.1)
            except FileNotFoundError:
                connection.close()
                raise _unreachable(f"no socket at {self.path}") from None
            except PermissionError:
                connection.close()
                raise Failure(
                    f"permission denied: {self.path}", "ask for the group hwinfod, or use sudo", DENIED
                ) from None
            except OSError as error:
                connection.close()
                raise Failure(f"cannot connect to {self.path}: {error.strerror or error}", status=UNREACHABLE) from None
            else:
                return connection


def _unreachable(what: str) -> Failure:
    return Failure(
        f"hwinfod is not running ({what})",
        "systemctl start hwinfod, or name its socket: --socket PATH or HWINFOD_SOCKET",
        UNREACHABLE,
    )


def _read_head(reader: Any) -> tuple[int, dict[str, str]]:
    try:
        words = reader.readline(1024).split(None, 2)
        status = int(words[1])
        headers = {}
        while (line := reader.readline(65536).strip()) != b"":
            name, _, value = line.partition(b":")
            headers[name.strip().lower().decode("latin-1")] = value.strip().decode("latin-1")
    except (OSError, IndexError, ValueError):
        raise Failure("the daemon did not answer in time, or not in HTTP", status=UNREACHABLE) from None
    return status, headers


def _read_body(reader: Any, headers: Mapping[str, str]) -> Iterator[bytes]:
    """In the pieces that it comes in. Raises Failure where it does not come."""
    try:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            length = headers.get("content-length")
            yield _whole(reader, int(length)) if length else reader.read()
            return
        while size := int(reader.readline(64).split(b";")[0] or b"0", 16):
            yield _whole(reader, size)
            reader.readline(8)
    except (OSError, ValueError):
        raise Failure("the daemon did not finish its answer", status=UNREACHABLE) from None


def _whole(reader: Any, size: int) -> bytes:
    """Raises ValueError where the connection ends before."""
    data: bytes = reader.read(size)
    if len(data) < size:
        raise ValueError
    return data


def _refusal(status: int, body: bytes) -> Failure:
    """The daemon's problem document (RFC 9457) as a message."""
    try:
        problem = json.loads(body)
        title, detail = str(problem.get("title", "")), str(problem.get("detail", ""))
        hint = str(problem.get("hint", ""))
    except (ValueError, AttributeError):
        title, detail, hint = f"the daemon answered {status}", "", ""
    return Failure(detail or title, hint, _STATUS_OF_HTTP.get(status, FAILED))
