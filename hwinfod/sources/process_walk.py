# SPDX-License-Identifier: MIT
"""Walks the open descriptors of all processes, in steps, for files that somebody asks for.

A busy node has 100,000 descriptors. A process that was looked into is looked into again when the number of its
descriptors changes, so that a pass costs one stat a process: fstat, where the directory can be kept. That of a process
that ended says so, on procfs and since Linux 6.2. Source: fs/proc/fd.c, proc_readfd_count(), proc_fd_getattr().
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from resource import RLIMIT_NOFILE, getrlimit
from typing import TYPE_CHECKING

from hwinfod.errors import Denied, HwinfodError, from_os_error
from hwinfod.sources.files import read_file
from hwinfod.sources.process import parse_stat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hwinfod.core.clock import Clock
    from hwinfod.core.host import RootPaths

_RECHECK_SECONDS = 60.0
_RECHECK_UNTOLD_SECONDS = 15.0
_SPREAD = 64
_STAT_LIMIT = 4096
_LEFT_TO_OTHERS = 1024  # descriptors: where the daemon may have no more than usual, none is kept here
_STEP = 16  # processes that are not looked into, between two looks at the clock
_PROCFS_ROOT_INODE = 1  # PROC_ROOT_INO, include/linux/proc_fs.h


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """A process that has some of the files open: the number of each descriptor, and what it is open on."""

    pid: int
    start_time_ticks: int
    files: tuple[tuple[str, str], ...]


class _Directory:
    """The descriptors of one process, held (open(2), O_PATH) and not read. Raises OSError when made."""

    __slots__ = ("fd",)

    def __init__(self, path: str) -> None:
        self.fd = -1
        self.fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


@dataclass(frozen=True, slots=True)
class _Looked:
    """What the directory of a process was like, what was found in it, and until when that is believed."""

    inode: int
    descriptors: int
    until: float
    found: OpenFiles | None
    directory: _Directory | None


class ProcessWalk:
    """`begin`, then `work` until it says that the pass is done. `is_wanted` chooses by what a descriptor is open on.

    Of a process that has such files they are listed anew in each pass, or after `keep_seconds`. One that has none is
    looked into again after `recheck_seconds` at the latest: it may have opened and closed as many; where the kernel
    does not tell their number, before Linux 6.2, after `recheck_untold_seconds`. These times are spread, so that no
    pass has to look into all at once. `blind` counts the processes of the pass that may not be looked into.
    """

    def __init__(
        self,
        roots: RootPaths,
        clock: Clock,
        is_wanted: Callable[[str], bool],
        *,
        keep_seconds: float = 0.0,
        recheck_seconds: float = _RECHECK_SECONDS,
        recheck_untold_seconds: float = _RECHECK_UNTOLD_SECONDS,
    ) -> None:
        self._roots = roots
        self._clock = clock
        self._is_wanted = is_wanted
        self._keep_seconds = keep_seconds
        self._recheck_seconds = recheck_seconds
        self._recheck_untold_seconds = recheck_untold_seconds
        self._looked: dict[int, _Looked] = {}
        self._most_kept = max(0, getrlimit(RLIMIT_NOFILE)[0] - _LEFT_TO_OTHERS) // 8
        self._tells = self._keeps = False
        self._looks = 0
        self._steps: Iterator[None] | None = None
        self.blind = 0

    @property
    def is_running(self) -> bool:
        return self._steps is not None

    def begin(self, see: Callable[[OpenFiles], None]) -> None:
        """Starts a pass. `see` is called for every process that has such files, in the order of their numbers; a
        HwinfodError that it raises costs that process."""
        self.blind = 0
        self._steps = self._run(see)

    def work(self, cpu_seconds: float, cpu_clock: Callable[[], float] = time.thread_time) -> bool:
        """Goes on for so much CPU time. Whether the pass was done with it."""
        if self._steps is None:
            return False
        end = cpu_clock() + cpu_seconds
        for _ in self._steps:
            if cpu_clock() >= end:
                return False
        self._steps = None
        return True

    def close(self) -> None:
        """Lets go of everything."""
        self._steps = None
        self._looked.clear()

    def _run(self, see: Callable[[OpenFiles], None]) -> Iterator[None]:
        """A step for each process that is looked into, and for some of the others together."""
        procfs, now = self._roots.procfs, self._clock.monotonic()
        self._tells = _tells_number(self._roots.proc("self", "fd"))
        self._keeps = self._tells and os.stat(procfs).st_ino == _PROCFS_ROOT_INODE
        pids = sorted(int(name) for name in os.listdir(procfs) if name.isdigit())
        self._looked = {pid: self._looked[pid] for pid in pids if pid in self._looked}
        for number, pid in enumerate(pids):
            looks = self._looks
            try:
                found = self._look(pid, now)
                if found is not None:
                    see(found)
            except Denied:
                self.blind += 1
            except HwinfodError:
                pass  # it ended meanwhile
            if looks != self._looks or number % _STEP == 0:
                yield

    def _look(self, pid: int, now: float) -> OpenFiles | None:
        known, directory, status = self._looked.get(pid), None, None
        if known is not None and known.directory is not None:
            with contextlib.suppress(OSError):
                status, directory = os.fstat(known.directory.fd), known.directory
        path = f"{self._roots.procfs}/{pid}/fd"
        try:
            status = status or os.stat(path)
        except OSError:
            return None
        inode, descriptors = status.st_ino, status.st_size
        if known is not None and known.inode == inode and known.descriptors == descriptors and now < known.until:
            return known.found
        self._looks += 1
        files = list_open_files(self._roots, pid, self._is_wanted)
        found = OpenFiles(pid, self._start_time_ticks(pid), tuple(files)) if files else None
        if found is not None:
            patience = self._keep_seconds if self._tells else 0.0
        else:
            longest = self._recheck_seconds if self._tells else self._recheck_untold_seconds
            patience = longest * (0.5 + pid % _SPREAD / (2 * _SPREAD))
        if directory is None and self._keeps and len(self._looked) < self._most_kept:
            with contextlib.suppress(OSError):
                held = _Directory(path)
                directory = held if os.fstat(held.fd).st_ino == inode else None  # the number was given anew meanwhile
        self._looked[pid] = _Looked(inode, descriptors, now + patience, found, directory)
        return found

    def _start_time_ticks(self, pid: int) -> int:
        return parse_stat(read_file(self._roots.proc(str(pid), "stat"), _STAT_LIMIT)).start_time_ticks


def _tells_number(own: str) -> bool:
    """Whether the size of such a directory is the number of descriptors in it: we have some open ourselves."""
    try:
        return os.stat(own).st_size > 0
    except OSError:
        return False


def list_open_files(roots: RootPaths, pid: int, is_wanted: Callable[[str], bool]) -> list[tuple[str, str]]:
    """The descriptors of a process that are open on what is wanted, with what that is: a path as the process's own
    mount namespace has it, or `socket:[4711]`. Nothing of it is opened. Raises a ReadError: Denied, Gone."""
    directory = roots.proc(str(pid), "fd")
    try:
        names = os.listdir(directory)
    except OSError as error:
        raise from_os_error(error, directory) from None
    found = []
    for name in names:
        try:
            target = os.readlink(f"{directory}/{name}")
        except OSError:
            continue
        if is_wanted(target):
            found.append((name, target))
    return found
