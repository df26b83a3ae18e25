# SPDX-License-Identifier: MIT
"""A link to a runtime: subscribe, list, then events; and the list again now and then."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from hwinfod.errors import HwinfodError, ParseError, ReadError
from hwinfod.owners.runtimes.ledger import EXITED, Ledger
from hwinfod.owners.runtimes.link import Link
from hwinfod.owners.runtimes.teller import Teller

if TYPE_CHECKING:
    from hwinfod.core.container import Container
    from hwinfod.core.host import Host
    from hwinfod.core.owner import ContainerName
    from hwinfod.owners.runtimes.ledger import Change
    from hwinfod.owners.runtimes.subscription import Subscription
    from hwinfod.sources.oci_spec import OciSpec

log = logging.getLogger("hwinfod.owners")

# A server may take a subscription after it has answered a list that was asked for later: the second list mends that.
SECOND_LIST_SECONDS = 2.0
LIST_SECONDS = 60.0
# A list overtakes events, which Podman reads back out of a log that it has written them to; only they tell how a
# container ended that is gone from the list. Source: Podman libpod/events/journald.go, logfile.go Read().
SETTLE_SECONDS = 2.0
LONGEST_LIST_SECONDS = 30.0


class RuntimeLink(Link):
    """A runtime's socket. A subclass lists, reads events, and describes the containers that events tell of."""

    runtime = ""

    def __init__(self, host: Host, path: str) -> None:
        super().__init__(host, path)
        self.ledger = Ledger(self.runtime)
        self.teller = Teller(host)
        self.events_seen = 0
        self.version = 0

    async def list_containers(self) -> list[Container]:
        """All containers, as they are. Raises HwinfodError."""
        raise NotImplementedError

    async def describe(self, change: Change) -> Container | None:
        """A container that an event tells of; None where it is gone, or nothing more need be known. Raises
        HwinfodError."""
        raise NotImplementedError

    async def change(self, message: bytes) -> Change | None:
        """What one message of the stream tells of a container, if it does. Raises HwinfodError."""
        raise NotImplementedError

    async def explain_exit(self, change: Change) -> tuple[Change, ...]:
        """An exit with what the runtime tells of it only when asked. Raises HwinfodError."""
        return (change,)

    def containers(self) -> tuple[Container, ...]:
        """What the runtime has, by the latest word."""
        return tuple(self.ledger.containers.values())

    def names(self) -> tuple[ContainerName, ...]:
        return tuple(container.name for container in self.ledger.containers.values())

    async def follow_events(self, events: Subscription) -> None:
        """Never returns; raises HwinfodError."""
        wait = SECOND_LIST_SECONDS
        while True:
            await self.resync(events)
            await self._take_for(wait, events)
            wait = LIST_SECONDS

    async def resync(self, events: Subscription | None = None) -> None:
        """What a list shows; events that come meanwhile are taken first, as they know more. Those from before the
        connection come no more: its first list waits for none."""
        self.busy = True
        asked_ns = self.host.clock.wall_ns()
        try:
            listed = await asyncio.wait_for(self.list_containers(), LONGEST_LIST_SECONDS)
        except asyncio.TimeoutError:
            raise ReadError(self.path, errno.ETIMEDOUT) from None
        if events is not None:
            self.busy = not self.is_up
            await self._take_for(SETTLE_SECONDS if self.is_up else 0.0, events)
        self.teller.tell(self.ledger.reconcile(listed, asked_ns))
        self.version += 1
        self.up()

    async def _take_for(self, seconds: float, events: Subscription) -> None:
        """Takes what comes for a while, and what has come by its end."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        while (message := await events.next(max(due - loop.time(), 0.0))) is not None:
            was_busy, self.busy = self.busy, True
            while message is not None:
                await self._take(message)
                message = await events.next(0.0)
            self.busy = was_busy

    async def _take(self, message: bytes) -> None:
        try:
            change = await self.change(message)
        except ParseError as error:  # it costs this message: the list will say what it said
            log.debug("%s: %s", self.path, error)
            return
        if change is None:
            return
        for each in await self._explained(change):
            self.events_seen += 1
            self.version += 1
            await self._apply(each)

    async def _explained(self, change: Change) -> tuple[Change, ...]:
        """That a container ended is known, whatever else cannot be learned of it."""
        if change.kind == EXITED:
            with contextlib.suppress(HwinfodError):
                return await self.explain_exit(change)
        return (change,)

    async def _apply(self, change: Change) -> None:
        news = self.ledger.apply(change)
        try:
            described = await self.describe(change) if news else None
        except HwinfodError:  # it has happened, whatever it was that it happened to
            self.teller.tell(news)
            raise
        if described is not None:
            self.ledger.describe(described)
            current = self.ledger.containers.get(described.id, described)
            news = [told._replace(container=_with_facts(current, told.container)) for told in news]
        self.teller.tell(news)


def with_spec(container: Container, spec: OciSpec | None) -> Container:
    """A container with the devices that its specification gives it."""
    if spec is None:
        return container
    return replace(
        container,
        device_nodes=spec.devices,
        visible_devices=spec.visible_devices,
        may_open_all_devices=spec.may_open_all_devices,
        is_sandbox=spec.is_sandbox,
    )


def _with_facts(described: Container, told: Container) -> Container:
    """What a container was made with, at the moment in its life that is told of."""
    return replace(described, state=told.state, exit_code=told.exit_code, changed_ns=told.changed_ns)
