# SPDX-License-Identifier: MIT
"""One socket, followed for ever: asked while it answers, and again after a while when it does not."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from typing import TYPE_CHECKING

from hwinfod.core.imports import without_ssl
from hwinfod.errors import Denied, Gone, HwinfodError, from_os_error

if TYPE_CHECKING:
    from hwinfod.core.host import Host
    from hwinfod.owners.runtimes.grpc import Channel

log = logging.getLogger("hwinfod.owners")

FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 60.0


class Link:
    """What follows one socket. A subclass says how in `follow`, and calls `up` when the first answer is there.

    `path` is the host's name for the socket, `problem` why it is not followed now. `busy` says that an answer is being
    waited for, so that the turn of the loop is worth prolonging.
    """

    def __init__(self, host: Host, path: str) -> None:
        self.host = host
        self.path = path
        self.real_path = host.roots.root(path)
        self.problem: HwinfodError | None = None
        self.is_up = False
        self.busy = False
        self.times_lost = 0
        self._wait = FIRST_WAIT_SECONDS
        self._hurry = asyncio.Event()
        self._seen: tuple[int, int, int] | None = None

    async def follow(self) -> None:
        """Asks for as long as the server answers; raises HwinfodError when it does not."""
        raise NotImplementedError

    def up(self) -> None:
        """The server answers: what is asked next may fail soon again without a long wait."""
        self.is_up, self.problem, self.busy = True, None, False
        self._wait = FIRST_WAIT_SECONDS

    def lost(self) -> None:
        """The server does not answer any more. What it said last stays: containers outlive their runtime's restart."""

    async def run(self) -> None:
        """For ever."""
        while True:
            self._seen = _identity(self.real_path)
            self._hurry.clear()
            self.busy = True
            try:
                look_at(self.real_path)
                await self.follow()
            except HwinfodError as error:
                self.problem = error
            except Exception as error:  # one broken answer must not end what follows the socket
                log.debug("%s", self.path, exc_info=error)
                self.problem = HwinfodError(f"{self.path}: {type(error).__name__}: {error}")
            self.busy = False
            if self.is_up:
                self.is_up = False
                self.times_lost += 1
                self.lost()
            await self._pause()

    def next_wait(self) -> float:
        """How long to wait before the next attempt: twice as long as before the last one."""
        wait, self._wait = self._wait, min(2 * self._wait, LONGEST_WAIT_SECONDS)
        return wait

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._hurry.wait(), self.next_wait())
        except asyncio.TimeoutError:
            return

    def look(self) -> None:
        """A socket that was made anew is tried at once: its server has come back."""
        if not self.is_up and _identity(self.real_path) not in (None, self._seen):
            self._hurry.set()

    @property
    def is_absent(self) -> bool:
        """Whether there is no such socket."""
        return isinstance(self.problem, Gone)

    @property
    def is_denied(self) -> bool:
        """Whether the socket is there and may not be opened."""
        return isinstance(self.problem, Denied)

    def blind(self, missing: str) -> tuple[str, ...]:
        """What is not known for want of a right."""
        if not self.is_denied:
            return ()
        return (
            f"attribution blind: {self.path} may not be opened, {missing}: "
            "the drop-in runtime-sockets.conf lets the daemon in",
        )


def open_channel(path: str) -> Channel:
    """A connection to a gRPC server; what speaks gRPC is imported with the first one. Raises HwinfodError."""
    try:
        with without_ssl():
            from hwinfod.owners.runtimes.grpc import Channel
    except ImportError as error:
        raise HwinfodError(f"{path}: {error}", hint="pip install 'hwinfod[runtimes]'") from None
    return Channel(path)


def look_at(path: str) -> None:
    """Raises a `ReadError` where a socket cannot be connected to: Gone, Denied. Source: unix(7), "Pathname socket
    ownership and permissions"."""
    try:
        os.stat(path)
    except OSError as error:
        raise from_os_error(error, path) from None
    if not os.access(path, os.W_OK, effective_ids=True):
        raise Denied(path, errno.EACCES)


def _identity(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns
