# SPDX-License-Identifier: MIT
"""Names of containers from the engines that users run themselves: rootless Podman and Docker.

Such a socket is its user's, who may answer what he likes. What it says is believed of cgroups in his own territory and
of nothing else; it makes no events; it is read with a limit, and only where the one who listens is the user: a link in
his directory may lead to another socket, whose answers are not his to see. Source: systemd file-hierarchy(7),
$XDG_RUNTIME_DIR; unix(7), SO_PEERCRED.

This module is imported by every daemon, what follows a socket where a socket is.
"""

from __future__ import annotations

import os
import stat
from types import MappingProxyType
from typing import TYPE_CHECKING

from hwinfod.core.collector import Collector, beat
from hwinfod.core.owner import Names
from hwinfod.core.table import Groups
from hwinfod.errors import Absent
from hwinfod.owners.runtimes.families import FAMILIES
from hwinfod.sources.files import list_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hwinfod.core.owner import ContainerName
    from hwinfod.owners.runtimes.rootless_link import RootlessLink

USERS = "/run/user"
SOCKETS = ("podman/podman.sock", "docker.sock")
MOST_SOCKETS = 32


class RootlessEngines(Collector):
    name = "rootless"
    summary = "names of containers that users run themselves, from their own Podman and Docker"
    lane = "rootless"

    def open(self) -> None:
        if not self._find():
            raise Absent(f"no socket of a user's own engine below {USERS}")
        from hwinfod.owners.runtimes.loop import LaneLoop

        self.loop = LaneLoop([])
        self.links: dict[str, RootlessLink] = {}
        self.rows = Groups(self.table, lambda path: [(metric, (self.name, path)) for metric in FAMILIES])
        self.published = Names()

    def close(self) -> None:
        self.loop.close()
        self.host.names.withdraw(self.name)

    @beat(seconds=5)
    def sample(self) -> None:
        """Serves the sockets for a moment. Raises Absent where there is none any more."""
        self.step("serve users' sockets")
        self._look()
        self.loop.turn()
        for path, link in self.links.items():
            if link.problem is not None and not (link.is_denied or link.is_absent):
                self.skip(path, link.problem)
            self.rows.set(path, (int(link.is_up), len(link.names), 0, link.times_lost))
        self.rows.sweep()
        self._publish()

    def _look(self) -> None:
        """Users log in and out."""
        found = self._find()
        if not found:
            raise Absent(f"no socket of a user's own engine below {USERS}")
        if len(found) > MOST_SOCKETS:
            self.skip("sockets", f"{len(found) - MOST_SOCKETS} beyond the limit are not asked")
        paths = dict(list(found.items())[:MOST_SOCKETS])
        if paths.keys() != self.links.keys():
            self.links = {path: self.links.get(path) or self._link(path, uid) for path, uid in paths.items()}
            self.loop.follow(list(self.links.values()))

    def _link(self, path: str, uid: int) -> RootlessLink:
        from hwinfod.owners.runtimes.rootless_link import RootlessLink

        return RootlessLink(self.host, path, uid)

    def _find(self) -> dict[str, int]:
        """The users of sockets by path."""
        return dict(self._sockets())

    def _sockets(self) -> Iterator[tuple[str, int]]:
        for name in list_directory(self.roots.root(USERS)):
            if not (name.isascii() and name.isdigit() and len(name) <= 10):
                continue
            for socket in SOCKETS:
                path = f"{USERS}/{name}/{socket}"
                try:
                    status = os.lstat(self.roots.root(path))
                except OSError:
                    continue
                if stat.S_ISSOCK(status.st_mode) and status.st_uid == int(name):
                    yield path, int(name)

    def _publish(self) -> None:
        claims: dict[str, tuple[ContainerName, ...]] = {}
        for link in self.links.values():
            if link.names:
                claims[str(link.uid)] = claims.get(str(link.uid), ()) + link.names
        blind = _blind([path for path, link in self.links.items() if link.is_denied])
        names = Names(blind=blind, claims=MappingProxyType(claims))
        if names != self.published:
            self.published = names
            self.host.names.publish(self.name, names)


def _blind(denied: list[str]) -> tuple[str, ...]:
    """What is not known for want of a right."""
    if not denied:
        return ()
    others = f" and {len(denied) - 1} more" if len(denied) > 1 else ""
    return (
        f"attribution blind: {denied[0]}{others} may not be opened, names of containers that users run themselves are "
        "missing: SocketMode=0666 in his podman.socket lets the daemon in, and nobody else",
    )
