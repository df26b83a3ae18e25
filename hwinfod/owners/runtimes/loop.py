# SPDX-License-Identifier: MIT
"""The event loop of one lane: it turns while a tick of the lane lasts, and what comes between two ticks waits in the
kernel. So the lane keeps its one thread, a hanging server costs no more than its own coroutine, and nothing runs that
the supervisor does not see."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.owners.runtimes.link import Link

log = logging.getLogger("hwinfod.owners")

# A turn takes what has come since the last one; while a list is being read it takes longer, and never a whole second.
_LEAST_SECONDS = 0.005
_MOST_SECONDS = 0.4


class LaneLoop:
    """Runs links, each for ever, a turn at a time. For the lane's thread."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links: Sequence[Link] = ()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_note)
        self._tasks: dict[Link, asyncio.Task[None]] = {}
        self.follow(links)

    def follow(self, links: Sequence[Link]) -> None:
        """These from now on, and no others."""
        self._links = links
        for link in [link for link in self._tasks if link not in links]:
            self._leave([self._tasks.pop(link)])
        for link in links:
            if link not in self._tasks:
                self._tasks[link] = self._loop.create_task(link.run())

    def _leave(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    def turn(self) -> None:
        """Serves the links for a moment. Never raises."""
        for link in self._links:
            link.look()
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        end = self._loop.time() + _MOST_SECONDS
        await asyncio.sleep(_LEAST_SECONDS)
        while any(link.busy for link in self._links) and self._loop.time() < end:
            await asyncio.sleep(_LEAST_SECONDS)

    def close(self) -> None:
        """Leaves every socket."""
        self._leave(list(self._tasks.values()))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


def _note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What garbage makes a protocol raise ends the connection, and is told by the link: no traceback for it."""
    log.debug("a runtime's connection: %s", context.get("message"), exc_info=context.get("exception"))
