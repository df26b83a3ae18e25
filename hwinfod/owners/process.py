# SPDX-License-Identifier: MIT
"""pid -> owner. A process is its number and its start time together; a cgroup is its inode and its path.

Both are remembered after their end, so that what they held keeps its name: a batch of holdings often lists a
process that is gone by the time that it is looked at.
"""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.errors import Gone
from hwinfod.owners.cgroup import Conflict, Resolution, resolve
from hwinfod.owners.identity import NOBODY, USER, Owner
from hwinfod.owners.memory import Memory
from hwinfod.sources.cgroupfs import identity_of
from hwinfod.sources.process import CgroupLine, ProcessFiles, ProcessStat, parse_cgroups

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

MOST_PROCESSES = 16_384
MOST_CGROUPS = 4_096


class Cgroup(NamedTuple):
    """A cgroup, alive or not. `inode` is 0 where it could not be read."""

    inode: int
    path: str


class Process(NamedTuple):
    """A process and whose it is. `uid` is the effective one, which the kernel checks accesses against."""

    pid: int
    start_time_ticks: int
    name: str
    uid: int
    owner: Owner
    cgroup: Cgroup
    conflicts: tuple[Conflict, ...] = ()


class _Seen(NamedTuple):
    content: bytes
    process: Process


class Processes:
    """The processes that were asked for, and the owners of their cgroups. For one thread."""

    def __init__(
        self, roots: RootPaths, *, most_processes: int = MOST_PROCESSES, most_cgroups: int = MOST_CGROUPS
    ) -> None:
        self._roots = roots
        self._processes: Memory[tuple[int, int], _Seen] = Memory(most_processes)
        self._resolutions: Memory[tuple[bytes, bool], Resolution] = Memory(most_cgroups)
        self._cgroups: Memory[Cgroup, Owner] = Memory(most_cgroups)
        self._inodes: Memory[str, int] = Memory(most_cgroups)

    def look(self, pid: int, start_time_ticks: int = 0) -> Process:
        """The process of that number and start time (0: whichever has the number now), as it is, or as it was
        when it was seen last. Raises a `ReadError` (Gone: never seen, or hidden; Denied) or ParseError."""
        try:
            return self._read(pid, start_time_ticks)
        except Gone:
            seen = self._processes.get((pid, start_time_ticks))
            if seen is None:
                raise
            return seen.process

    def owner_of_cgroup(self, cgroup: Cgroup) -> Owner | None:
        """The owner of a cgroup that a process was seen in, gone or not. An inode of 0 asks for the last one
        that had the path."""
        inode = cgroup.inode or self._inodes.get(cgroup.path) or 0
        return self._cgroups.get(Cgroup(inode, cgroup.path))

    def _read(self, pid: int, start_time_ticks: int) -> Process:
        with contextlib.closing(ProcessFiles(self._roots, pid)) as files:
            stat = files.stat()
            if start_time_ticks not in (0, stat.start_time_ticks):
                raise Gone(self._roots.proc(str(pid)), errno.ESRCH)
            key = (pid, stat.start_time_ticks)
            seen = self._processes.get(key)
            if seen is not None and stat.is_exiting:
                return seen.process
            content = files.cgroup()
            if seen is not None and seen.content == content and seen.process.name == stat.name:
                return seen.process  # an exec may change the uid, and as a rule changes the name
            process = self._describe(stat, files.status().uids[1], content)
        self._processes.put(key, _Seen(content, process))
        return process

    def _describe(self, stat: ProcessStat, uid: int, content: bytes) -> Process:
        resolution = self._resolve(content, stat.is_kernel_thread)
        owner = resolution.owner
        if owner == NOBODY:  # in the root cgroup, or in one that nobody announced: whoever started it
            owner = Owner(USER, user=str(uid))
        cgroup = Cgroup(self._inode(resolution.line), resolution.line.path)
        self._cgroups.put(cgroup, resolution.owner)
        return Process(stat.pid, stat.start_time_ticks, stat.name, uid, owner, cgroup, resolution.conflicts)

    def _resolve(self, content: bytes, kernel_thread: bool) -> Resolution:
        key = (content, kernel_thread)
        resolution = self._resolutions.get(key)
        if resolution is None:
            resolution = resolve(parse_cgroups(content), kernel_thread=kernel_thread)
            self._resolutions.put(key, resolution)
        return resolution

    def _inode(self, line: CgroupLine) -> int:
        inode = identity_of(self._roots, line)
        if inode:
            self._inodes.put(line.path, inode)
        return inode
