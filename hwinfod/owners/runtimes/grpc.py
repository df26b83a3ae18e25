# SPDX-License-Identifier: MIT
"""gRPC at a Unix socket: calls with a deadline, and streams that are read when asked. Bytes in, bytes out.

grpclib speaks HTTP/2; messages are encoded by `sources.protobuf` (docs/adr/0008), so that protobuf's runtime is never
imported. This module is imported where a socket is there: it brings grpclib, h2 and what they need.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from typing import TYPE_CHECKING, Any

from grpclib.client import Channel as _GrpcChannel
from grpclib.client import Handler
from grpclib.config import Configuration
from grpclib.const import Cardinality
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError
from grpclib.protocol import H2Protocol

from hwinfod.errors import HwinfodError, ReadError, from_os_error
from hwinfod.owners.runtimes.errors import CallFailed, Ended
from hwinfod.owners.runtimes.subscription import Subscription
from hwinfod.sources.files import clean_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

# It writes a line a header into the log of whoever debugs the daemon.
logging.getLogger("hpack").setLevel(logging.WARNING)

CALL_SECONDS = 5.0
# What may come between two messages that were taken: the longest list of a full node is a quarter of it.
MOST_BYTES = 32 << 20
_WINDOW = 1 << 20


class _Bytes(CodecBase):
    """Messages are encoded already. The content subtype is protobuf's, as servers ask."""

    __content_subtype__ = "proto"

    def encode(self, message: bytes, _message_type: Any) -> bytes:
        return message

    def decode(self, data: bytes, _message_type: Any) -> bytes:
        return data


class _Protocol(H2Protocol):
    """Leaves a server that sends more than anybody asked for."""

    received = 0
    most_bytes = MOST_BYTES

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self.received > self.most_bytes:
            self.processor.close()
        else:
            super().data_received(data)


class _Channel(_GrpcChannel):
    """Keeps hold of the connection, to count what comes."""

    def __init__(self, path: str, most_bytes: int) -> None:
        super().__init__(
            path=path,
            codec=_Bytes(),
            config=Configuration(http2_connection_window_size=_WINDOW, http2_stream_window_size=_WINDOW),
        )
        self.most_bytes = most_bytes
        self.connection: _Protocol | None = None

    def _protocol_factory(self) -> H2Protocol:
        self.connection = _Protocol(Handler(), self._config, self._h2_config)
        self.connection.most_bytes = self.most_bytes
        return self.connection

    @property
    def is_too_long(self) -> bool:
        """Whether the server was left because of how much it sent."""
        return self.connection is not None and self.connection.received > self.most_bytes

    def forgive(self) -> None:
        """A message was taken, or is about to be asked for: the count begins anew."""
        if self.connection is not None:
            self.connection.received = 0


class Channel:
    """A connection to a gRPC server, made at the first call. For one loop; to be closed."""

    def __init__(self, path: str, *, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._channel = _Channel(path, most_bytes)

    def close(self) -> None:
        self._channel.close()

    async def call(
        self,
        method: str,
        request: bytes = b"",
        metadata: dict[str, str] | None = None,
        seconds: float = CALL_SECONDS,
    ) -> bytes:
        """One request, one reply. Raises CallFailed, or a `ReadError` (Gone: no socket; Denied; any other for a server
        that does not answer in time)."""
        with self._errors(method):
            return await asyncio.wait_for(self._call(method, request, metadata), seconds)

    async def _call(self, method: str, request: bytes, metadata: dict[str, str] | None) -> bytes:
        self._channel.forgive()
        async with self._channel.request(method, Cardinality.UNARY_UNARY, bytes, bytes, metadata=metadata) as stream:
            await stream.send_message(request, end=True)
            reply: bytes | None = await stream.recv_message()
        if reply is None:
            raise CallFailed(f"{self._path}: {method}: no reply")
        return reply

    @contextlib.asynccontextmanager
    async def stream(
        self, method: str, request: bytes = b"", metadata: dict[str, str] | None = None
    ) -> AsyncIterator[Subscription]:
        """The replies to one request, for as long as the context lasts. Raises as `call` does."""
        with self._errors(method):
            async with self._channel.request(
                method, Cardinality.UNARY_STREAM, bytes, bytes, metadata=metadata
            ) as stream:
                await asyncio.wait_for(stream.send_message(request, end=True), CALL_SECONDS)

                async def receive() -> bytes | None:
                    with self._errors(method):
                        message: bytes | None = await stream.recv_message()
                        self._channel.forgive()
                        if message is None:
                            await stream.recv_trailing_metadata()
                        return message

                subscription = Subscription(receive)
                try:
                    yield subscription
                finally:
                    await subscription.close()
                    with contextlib.suppress(Exception):  # the connection may be gone: then there is nothing to cancel
                        await stream.cancel()

    async def replies(
        self, method: str, request: bytes = b"", metadata: dict[str, str] | None = None
    ) -> AsyncIterator[bytes]:
        """All the replies to one request whose stream ends, each in time. Raises as `call` does."""
        async with self.stream(method, request, metadata) as stream:
            while True:
                try:
                    message = await stream.next(CALL_SECONDS)
                except Ended:
                    return
                if message is None:
                    raise ReadError(self._path, errno.ETIMEDOUT)
                yield message

    @contextlib.contextmanager
    def _errors(self, method: str) -> Iterator[None]:
        """Makes every error ours."""
        try:
            yield
        except HwinfodError:
            raise
        except GRPCError as error:
            name = error.status.name
            text = clean_text((error.message or "").encode())[:200]
            raise CallFailed(f"{self._path}: {method}: {name} {text}".rstrip(), name) from None
        except asyncio.TimeoutError:
            raise ReadError(self._path, errno.ETIMEDOUT) from None
        except OSError as error:
            raise from_os_error(error, self._path) from None
        except Exception as error:  # bytes that are no HTTP/2 make h2 and grpclib raise nearly anything
            if self._channel.is_too_long:
                raise CallFailed(f"{self._path}: {method}: more than {self._channel.most_bytes} bytes") from None
            text = clean_text(str(error).encode())[:200]
            raise CallFailed(f"{self._path}: {method}: {type(error).__name__} {text}".rstrip()) from None
