# SPDX-License-Identifier: MIT
"""A stream of messages that is waited for with a limit, and loses none by it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from hwinfod.errors import HwinfodError
from hwinfod.owners.runtimes.errors import Ended

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Subscription:
    """Messages from `receive`, which returns None at the end. A wait that runs out leaves the reading under way: ended
    in the middle of a message it would lose the rest."""

    def __init__(self, receive: Callable[[], Awaitable[bytes | None]]) -> None:
        self._receive = receive
        self._reading: asyncio.Future[bytes | None] | None = None

    async def next(self, seconds: float) -> bytes | None:
        """The next message, None where none comes in time. Raises Ended, or what `receive` does."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._receive())
        await asyncio.wait({self._reading}, timeout=seconds)
        if not self._reading.done():
            return None
        reading, self._reading = self._reading, None
        message = reading.result()
        if message is None:
            raise Ended("the server ended the stream")
        return message

    async def close(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, HwinfodError):
                await reading
