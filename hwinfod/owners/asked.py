# SPDX-License-Identifier: MIT
"""Whose one process is, for who asks: of any process of this host, whether or not it holds a device."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.owners.names.book import NameBook, Title
from hwinfod.owners.naming import dispute, id_of
from hwinfod.owners.process import Processes

if TYPE_CHECKING:
    from hwinfod.core.host import Host
    from hwinfod.owners.process import Process

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Asked(NamedTuple):
    """A process, and its owner as the latest names call it. `user` is the name of its user, "" where none is known;
    `conflicts` says which hierarchies of cgroups have another owner."""

    process: Process
    owner_id: str
    title: Title
    user: str
    since_boottime_ns: int
    conflicts: tuple[str, ...]


def look_up(host: Host, pid: int) -> Asked:
    """Reads three files of the process, and learns the names that sources have told so far: some milliseconds, on no
    loop and no lane of others. Raises a `ReadError` (Gone: none has the number, or it is hidden; Denied) or
    ParseError."""
    process = Processes(host.roots, most_processes=1, most_cgroups=1).look(pid)
    book = NameBook()
    names = host.names.current
    book.learn(names)
    title = book.title_of(process.owner)
    return Asked(
        process,
        id_of(process.owner),
        title,
        next((told.users[process.uid] for told in names.values() if process.uid in told.users), ""),
        process.start_time_ticks * 1_000_000_000 // _TICKS_A_SECOND,
        (*map(dispute, process.conflicts), *title.conflicts),
    )
