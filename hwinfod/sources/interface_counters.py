# SPDX-License-Identifier: MIT
"""Counters of all network interfaces by name: from rtnetlink on our own host, from /proc/net/dev otherwise.

Both say which names are new since the last read: an interface that comes back under its old name is another one.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Protocol

from hwinfod.errors import ParseError, ReadError
from hwinfod.sources.files import SeqFile, clean_text
from hwinfod.sources.proc_net_dev import parse_net_dev
from hwinfod.sources.rtnetlink import StatsSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hwinfod.core.host import RootPaths
    from hwinfod.sources.proc_net_dev import InterfaceCounters

_OWN_PROCFS = "/proc"


class CounterReader(Protocol):
    """`read` gives the counters by name and the names that are new; it raises ReadError or ParseError."""

    def read(self) -> tuple[dict[str, InterfaceCounters], set[str]]: ...
    def check_names(self) -> None:
        """Looks for interfaces that were renamed: their counters do not tell."""

    def close(self) -> None: ...


class NetlinkCounters:
    """RTM_GETSTATS knows interfaces by index; a name is asked for once an interface."""

    def __init__(self, stats: StatsSocket, name_of: Callable[[int], str] = socket.if_indextoname) -> None:
        self._stats = stats
        self._name_of = name_of
        self._names: dict[int, str] = {}
        self._new: set[str] = set()

    def read(self) -> tuple[dict[str, InterfaceCounters], set[str]]:
        by_index = self._stats.read()
        if by_index.keys() != self._names.keys():
            self._names = {index: name for index, name in self._names.items() if index in by_index}
            self._learn(index for index in by_index if index not in self._names)
        counters = {name: by_index[index] for index, name in self._names.items()}
        new, self._new = self._new, set()
        return counters, new

    def check_names(self) -> None:
        self._learn(list(self._names))

    def _learn(self, indexes: Iterable[int]) -> None:
        for index in indexes:
            try:
                # root of any container may name an interface: bytes that are no text stay out of paths and labels
                name = clean_text(os.fsencode(self._name_of(index)))
            except OSError:
                self._names.pop(index, None)  # it left just now
                continue
            if self._names.get(index) != name:
                self._names[index] = name
                self._new.add(name)

    def close(self) -> None:
        self._stats.close()


class FileCounters:
    """/proc/net/dev below `path.procfs`, whose names are always right."""

    def __init__(self, roots: RootPaths) -> None:
        self.file = SeqFile(roots.proc("net/dev"))
        self._known: set[str] = set()

    def read(self) -> tuple[dict[str, InterfaceCounters], set[str]]:
        counters = parse_net_dev(self.file.read())
        new = counters.keys() - self._known
        self._known = set(counters)
        return counters, new

    def check_names(self) -> None:
        """They need no check."""

    def close(self) -> None:
        self.file.close()


def open_counters(roots: RootPaths) -> CounterReader:
    """The best reader there is. Raises ReadError or ParseError where there is none."""
    if roots.procfs == _OWN_PROCFS:
        stats = StatsSocket()
        try:
            stats.read()
            return NetlinkCounters(stats)
        except (ReadError, ParseError):
            stats.close()  # a sandbox without AF_NETLINK, or a kernel before 4.7
    file = FileCounters(roots)
    parse_net_dev(file.file.read())
    return file
