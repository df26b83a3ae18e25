# SPDX-License-Identifier: MIT
"""Counters of all network interfaces by name: from rtnetlink on our own host, from /proc/net/dev otherwise.

Both say which names are new since the last read: an interface that comes back under its old name is another one.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Protocol

from hwinfod.errors import ParseError, ReadError
from hwinfod.sources.files import SeqFile, clean_text, read_file
from hwinfod.sources.proc_net_dev import parse_counters, split_net_dev
from hwinfod.sources.rtnetlink import StatsSocket, to_counters

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from hwinfod.core.host import RootPaths
    from hwinfod.sources.proc_net_dev import InterfaceCounters
    from hwinfod.sources.rtnetlink import LinkStats

_OWN_PROCFS = "/proc"


class CounterReader(Protocol):
    """Counters cost more to make sense of than to read, and a node has hundreds of interfaces that are asked for
    seldom: `read` learns which there are, `counters` makes sense of one."""

    def read(self) -> tuple[Collection[str], set[str]]:
        """The names of all interfaces, and those that are new. Raises ReadError, ParseError."""

    def refresh(self, names: Iterable[str], /) -> bool:
        """The counters of these alone, which `read` has named. False where that says nothing of them now, or costs no
        less: it takes a `read`. Raises ReadError, ParseError."""

    def counters(self, name: str) -> InterfaceCounters:
        """As of the last `read` or `refresh`, which named it. Raises ParseError."""

    def check_names(self) -> None:
        """Looks for interfaces that were renamed: their counters do not tell."""

    def close(self) -> None: ...


class NetlinkCounters:
    """RTM_GETSTATS knows interfaces by index; a name is asked for once an interface."""

    def __init__(self, stats: StatsSocket, name_of: Callable[[int], str] = socket.if_indextoname) -> None:
        self._socket = stats
        self._name_of = name_of
        self._indexes: dict[str, int] = {}
        self._stats: dict[int, LinkStats] = {}
        self._new: set[str] = set()

    def read(self) -> tuple[Collection[str], set[str]]:
        self._stats = self._socket.read()
        known = set(self._indexes.values())
        if known != self._stats.keys():
            self._indexes = {name: index for name, index in self._indexes.items() if index in self._stats}
            self._learn(self._stats.keys() - known)
        new, self._new = self._new, set()
        return self._indexes.keys(), new

    def refresh(self, names: Iterable[str]) -> bool:
        try:
            self._stats |= self._socket.read_some([self._indexes[name] for name in names])
        except ReadError as error:
            if error.errno != errno.ENODEV:
                raise
            return False
        return True

    def counters(self, name: str) -> InterfaceCounters:
        return to_counters(self._stats[self._indexes[name]])

    def check_names(self) -> None:
        before, self._indexes = self._indexes, {}
        self._learn(before.values())
        self._new = {name for name, index in self._indexes.items() if before.get(name) != index}

    def _learn(self, indexes: Iterable[int]) -> None:
        for index in sorted(indexes):
            try:
                # root of any container may name an interface: bytes that are no text stay out of paths and labels
                name = clean_text(os.fsencode(self._name_of(index)))
            except OSError:
                continue  # it left just now
            self._indexes[name] = index
            self._new.add(name)

    def close(self) -> None:
        self._socket.close()


class FileCounters:
    """/proc/net/dev below `path.procfs`, whose names are always right."""

    def __init__(self, roots: RootPaths) -> None:
        self._file = SeqFile(roots.proc("net/dev"))
        self._lines: dict[str, bytes] = {}

    def read(self) -> tuple[Collection[str], set[str]]:
        before, self._lines = self._lines, split_net_dev(self._file.read())
        return self._lines.keys(), self._lines.keys() - before.keys()

    def refresh(self, _names: Iterable[str]) -> bool:
        """The kernel writes the file for all of them, or for none."""
        return False

    def counters(self, name: str) -> InterfaceCounters:
        return parse_counters(self._lines[name])

    def check_names(self) -> None:
        """They need no check."""

    def close(self) -> None:
        self._file.close()


def open_counters(roots: RootPaths) -> CounterReader:
    """The best reader there is. Raises ReadError or ParseError where there is none."""
    if roots.procfs == _OWN_PROCFS:
        stats = StatsSocket()
        try:
            stats.read()
            return NetlinkCounters(stats)
        except (ReadError, ParseError):
            stats.close()  # a sandbox without AF_NETLINK, or a kernel before 4.7
    split_net_dev(read_file(roots.proc("net/dev")))
    return FileCounters(roots)
