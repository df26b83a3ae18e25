# SPDX-License-Identifier: MIT
"""A link to the engine of one user: its list, now and then, as his claims."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hwinfod.core.owner import ContainerName
from hwinfod.owners.runtimes.engine_http import get
from hwinfod.owners.runtimes.link import Link
from hwinfod.sources import docker_engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hwinfod.core.host import Host

MOST_CONTAINERS = 256
MOST_BYTES = 1 << 20
LIST_SECONDS = 60.0  # where systemd starts the engine on demand, each list starts it
_LONGEST_NAME, _LONGEST_IMAGE = 64, 128
_ID_LENGTH = 64
_HEX = frozenset("0123456789abcdef")
_IN_NAMES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


class RootlessLink(Link):
    """One user's engine, whose list is asked for now and then. `names` are the user's claims."""

    def __init__(self, host: Host, path: str, uid: int) -> None:
        super().__init__(host, path)
        self.uid = uid
        self.names: tuple[ContainerName, ...] = ()

    async def follow(self) -> None:
        while True:
            self.busy = True
            body = await get(self.real_path, docker_engine.LIST, peer_uid=self.uid, most_bytes=MOST_BYTES)
            self.names = tuple(_claims(docker_engine.parse_containers(body)[:MOST_CONTAINERS]))
            self.up()
            await asyncio.sleep(LIST_SECONDS)


def _claims(listed: Iterable[docker_engine.EngineContainer]) -> Iterator[ContainerName]:
    """As real engines name containers; what else he says is nobody's business."""
    for each in listed:
        identifier, name = each.container_id, each.name.container
        is_id = len(identifier) == _ID_LENGTH and set(identifier) <= _HEX
        if is_id and name and len(name) <= _LONGEST_NAME and set(name) <= _IN_NAMES:
            yield ContainerName(identifier, name, image=each.name.image[:_LONGEST_IMAGE])
