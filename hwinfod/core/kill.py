# SPDX-License-Identifier: MIT
"""Kills for want of memory, as the kernel's log told them: for those who know whose cgroups they are."""

from __future__ import annotations

from typing import NamedTuple

_KEPT = 64


class Kill(NamedTuple):
    """`cgroup` is the victim's, from the root of the hierarchy; `unix_ns` when the log was read, some seconds late."""

    cgroup: str
    unix_ns: int


class Kills:
    """The latest kills, oldest first. One thread notes, any thread reads `current`."""

    def __init__(self) -> None:
        self.current: tuple[Kill, ...] = ()

    def note(self, kill: Kill) -> None:
        self.current = (*self.current[1 - _KEPT :], kill)
