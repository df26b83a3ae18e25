# SPDX-License-Identifier: MIT
"""pid -> owner. A process is its number and its start time together; a cgroup is its inode and its path.

Both are remembered after their end, so that what they held keeps its name: a batch of holdings often lists a
process that is gone by the time that it is looked at.
"""

from __future__ import annotations

import errno
from resource import RLIMIT_NOFILE, getrlimit
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.errors import Gone
from hwinfod.owners.cgroup import Conflict, Resolution, made_in, resolve
from hwinfod.owners.identity import NOBODY, USER, Owner, claimed_by
from hwinfod.owners.memory import Memory
from hwinfod.sources.cgroupfs import delegate_of, identity_of
from hwinfod.sources.process import CgroupLine, ProcessFiles, ProcessStat, parse_cgroups

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

MOST_PROCESSES = 16_384
MOST_CGROUPS = 4_096
MOST_KEPT = 512  # processes, with two descriptors each: at most an eighth of those that the daemon may have
_LOOKS_AT_CGROUP = 3


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


class _Kept:
    """The files of a process, and how often only its cgroup was looked at since it was read whole."""

    __slots__ = ("files", "looks")

    def __init__(self, files: ProcessFiles) -> None:
        self.files = files
        self.looks = 0


class Processes:
    """The processes that were asked for, and the owners of their cgroups. For one thread."""

    def __init__(
        self, roots: RootPaths, *, most_processes: int = MOST_PROCESSES, most_cgroups: int = MOST_CGROUPS
    ) -> None:
        self._roots = roots
        self._processes: Memory[tuple[int, int], _Seen] = Memory(most_processes)
        self._kept: Memory[tuple[int, int], _Kept] = Memory(min(MOST_KEPT, getrlimit(RLIMIT_NOFILE)[0] // 16))
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

    def look_alive(self, pid: int, start_time_ticks: int) -> Process:
        """The process of that number and start time, which is there now. Raises a `ReadError` or ParseError."""
        return self._read(pid, start_time_ticks)

    def owner_of_cgroup(self, cgroup: Cgroup) -> Owner | None:
        """The owner of a cgroup that a process was seen in, gone or not. An inode of 0 asks for the last one
        that had the path."""
        inode = cgroup.inode or self._inodes.get(cgroup.path) or 0
        return self._cgroups.get(Cgroup(inode, cgroup.path))

    def _read(self, pid: int, start_time_ticks: int) -> Process:
        """Of a process that is asked for again and again the directory is kept: that it is still there, and in the same
        cgroup, is one small read. Every few looks it is read whole."""
        key = (pid, start_time_ticks)
        kept = self._kept.get(key)
        if kept is None:
            return self._read_whole(pid, start_time_ticks, ProcessFiles(self._roots, pid))
        seen = self._processes.get(key)
        try:
            if seen is not None and kept.looks < _LOOKS_AT_CGROUP and kept.files.cgroup_again() == seen.content:
                kept.looks += 1
                return seen.process
            return self._read_whole(pid, start_time_ticks, kept.files)
        except Gone:
            self._kept.discard(key)
            raise

    def _read_whole(self, pid: int, start_time_ticks: int, files: ProcessFiles) -> Process:
        stat = files.stat()
        if start_time_ticks not in (0, stat.start_time_ticks):
            raise Gone(self._roots.proc(str(pid)), errno.ESRCH)
        key = (pid, stat.start_time_ticks)
        self._kept.put(key, _Kept(files))
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
            resolution = self._claimed(resolve(parse_cgroups(content), kernel_thread=kernel_thread))
            self._resolutions.put(key, resolution)
        return resolution

    def _claimed(self, resolution: Resolution) -> Resolution:
        """What a path says is its user's claim from where he may make cgroups on, in whichever slice that is."""
        above = made_in(resolution.line.path)
        delegate = None if above is None else delegate_of(self._roots, resolution.line, above)
        if delegate is None:
            return resolution
        return resolution._replace(owner=claimed_by(delegate, resolution.owner))

    def _inode(self, line: CgroupLine) -> int:
        inode = identity_of(self._roots, line)
        if inode:
            self._inodes.put(line.path, inode)
        return inode
