# SPDX-License-Identifier: MIT
"""One request in HTTP/1.0 over a connection that is made already: the answer ends where the connection does, and is
never chunked, so that it needs no decoding. Source: RFC 1945 section 7.2.2, RFC 9112 section 6.3."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.errors import ParseError

if TYPE_CHECKING:
    import socket

_PART = 65536
_BLANK = b"\r\n\r\n"
_MOST_HEAD = 65536


class Reply(NamedTuple):
    """An answer; `body` as it came."""

    status: int
    body: bytes


def exchange(connection: socket.socket, request: bytes, deadline: float, limit: int) -> bytes:
    """Sends, and reads to the end. `deadline` is monotonic and for all of it, so that one who answers a byte a second
    is left too. Raises OSError (TimeoutError at the deadline) and ParseError above `limit` bytes."""
    connection.settimeout(_rest(deadline))
    connection.sendall(request)
    data = bytearray()
    while len(data) <= limit:
        connection.settimeout(_rest(deadline))
        part = connection.recv(_PART)
        if not part:
            return bytes(data)
        data += part
    raise ParseError(f"more than {limit >> 20} MiB")


def parse_status(head: bytes) -> int:
    """The status of an answer, of its first line or of more. Raises ParseError."""
    status = head[9:12]
    if not head.startswith(b"HTTP/1.") or not status.isdigit() or head[12:13] not in (b"", b" ", b"\r"):
        raise ParseError(f"no answer in HTTP: {head[:60]!r}")
    return int(status)


def parse_reply(data: bytes) -> Reply:
    """An answer with its head. One that was cut short of its Content-Length is refused. Raises ParseError."""
    end = data.find(_BLANK, 0, _MOST_HEAD)
    head = data[: max(0, end)]
    status = parse_status(head or data)
    if end < 0:
        raise ParseError(f"no answer in HTTP: {data[:60]!r}")
    body = data[end + len(_BLANK) :]
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        length = value.strip()
        if name.strip().lower() == b"content-length" and length != str(len(body)).encode():
            raise ParseError(f"{len(body)} bytes of {length[:20].decode('latin-1')} came")
    return Reply(status, body)


def _rest(deadline: float) -> float:
    rest = deadline - time.monotonic()
    if rest <= 0:
        raise TimeoutError
    return rest
