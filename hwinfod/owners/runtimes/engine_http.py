# SPDX-License-Identifier: MIT
"""HTTP/1.0 at an engine's Unix socket: one connection an answer, and one for the stream of events."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import struct
from socket import SO_PEERCRED, SOL_SOCKET
from typing import TYPE_CHECKING

from hwinfod.errors import ReadError, from_os_error
from hwinfod.owners.runtimes.errors import CallFailed
from hwinfod.owners.runtimes.subscription import Subscription
from hwinfod.sources.docker_engine import request
from hwinfod.sources.http_reply import parse_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CALL_SECONDS = 5.0
MOST_BYTES = 32 << 20
_LONGEST_LINE = 1 << 20
_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid


async def get(
    socket: str, path: str, seconds: float = CALL_SECONDS, *, peer_uid: int | None = None, most_bytes: int = MOST_BYTES
) -> bytes:
    """The body of an answer, of an engine that `peer_uid` runs where one is named. Raises CallFailed, ParseError, or a
    `ReadError` (Gone: no socket; Denied; any other for an engine that does not answer in time)."""
    try:
        return await asyncio.wait_for(_get(socket, path, peer_uid, most_bytes), seconds)
    except asyncio.TimeoutError:
        raise ReadError(socket, errno.ETIMEDOUT) from None


async def _get(socket: str, path: str, peer_uid: int | None, most_bytes: int) -> bytes:
    async with _connection(socket, path, peer_uid) as reader:
        await _head(reader, socket, path)
        parts = []
        left = most_bytes
        while part := await reader.read(65536):
            left -= len(part)
            if left < 0:
                raise CallFailed(f"{socket}: GET {path}: more than {most_bytes} bytes")
            parts.append(part)
        return b"".join(parts)


@contextlib.asynccontextmanager
async def follow(socket: str, path: str) -> AsyncIterator[Subscription]:
    """The lines of an answer that does not end. Its head comes with the first line from some engines, so that it is not
    waited for. Raises as `get` does."""
    async with _connection(socket, path) as reader:
        is_open = False

        async def receive() -> bytes | None:
            nonlocal is_open
            if not is_open:
                await _head(reader, socket, path)
                is_open = True
            try:
                return await reader.readline() or None
            except ValueError:
                raise CallFailed(f"{socket}: GET {path}: a line of more than {_LONGEST_LINE} bytes") from None
            except OSError as error:
                raise from_os_error(error, socket) from None

        subscription = Subscription(receive)
        try:
            yield subscription
        finally:
            await subscription.close()


@contextlib.asynccontextmanager
async def _connection(socket: str, path: str, peer_uid: int | None = None) -> AsyncIterator[asyncio.StreamReader]:
    try:
        opening = asyncio.open_unix_connection(socket, limit=_LONGEST_LINE)
        reader, writer = await asyncio.wait_for(opening, CALL_SECONDS)
    except asyncio.TimeoutError:
        raise ReadError(socket, errno.ETIMEDOUT) from None
    except OSError as error:
        raise from_os_error(error, socket) from None
    try:
        if peer_uid is not None and _uid_of_peer(writer) != peer_uid:
            raise CallFailed(f"{socket}: it is not user {peer_uid} who listens")
        writer.write(request(path))
        yield reader
    except OSError as error:
        raise from_os_error(error, socket) from None
    finally:
        writer.close()


def _uid_of_peer(writer: asyncio.StreamWriter) -> int:
    """Of who listens, as he was when he began to. Source: unix(7), SO_PEERCRED."""
    credentials = writer.get_extra_info("socket").getsockopt(SOL_SOCKET, SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(credentials)[1]
    return uid


async def _head(reader: asyncio.StreamReader, socket: str, path: str) -> None:
    """Reads up to the body. Raises CallFailed where the status is not 200."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise CallFailed(f"{socket}: GET {path}: no answer") from None
    status = parse_status(head)
    if status != 200:
        raise CallFailed(f"{socket}: GET {path}: {status}", str(status))
