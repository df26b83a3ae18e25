# SPDX-License-Identifier: MIT
"""Finds the clients of DRM devices: walks the descriptors of all processes, in steps.

A busy node has 100,000 descriptors. A process without any of DRM is looked at again when the number of its
descriptors changes, so that a pass costs one stat a process.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwinfod.errors import Denied, HwinfodError
from hwinfod.sources.drm_fdinfo import list_drm_descriptors, read_client
from hwinfod.sources.files import read_file
from hwinfod.sources.process import parse_stat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hwinfod.core.clock import Clock
    from hwinfod.core.host import RootPaths
    from hwinfod.sources.drm_fdinfo import Client

# A process that opens and closes as many descriptors between two looks is looked at again after so long; before
# Linux 6.2 their number is not told.
_RECHECK_SECONDS = 60.0
_RECHECK_UNTOLD_SECONDS = 15.0
_STAT_LIMIT = 4096

ClientKey = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """A client, the process that has it, and when it was read (monotonic seconds)."""

    client: Client
    pid: int
    start_time_ticks: int
    read_at: float


@dataclass(slots=True)
class Pass:
    """One look at all processes. `clients` by PCI address and client id; `blind` counts the processes that may not
    be looked into."""

    begun_boottime_ns: int
    clients: dict[ClientKey, Seen] = field(default_factory=dict)
    blind: int = 0


@dataclass(frozen=True, slots=True)
class _Looked:
    """A process without clients: what its directory was like, and when."""

    inode: int
    descriptors: int
    at: float


class ClientScanner:
    """`begin`, then `work` until it gives the pass."""

    def __init__(self, roots: RootPaths, clock: Clock) -> None:
        self._roots = roots
        self._clock = clock
        self._without: dict[int, _Looked] = {}
        self._pass: Pass | None = None
        self._steps: Iterator[None] | None = None

    def begin(self) -> None:
        """Starts a pass, unless one is going on."""
        if self._steps is None:
            self._pass = Pass(self._clock.boottime_ns())
            self._steps = self._run(self._pass)

    def work(self, cpu_seconds: float, cpu_clock: Callable[[], float] = time.thread_time) -> Pass | None:
        """Goes on for so much CPU time. The pass when it is done, else None."""
        if self._steps is None:
            return None
        end = cpu_clock() + cpu_seconds
        for _ in self._steps:
            if cpu_clock() >= end:
                return None
        done, self._pass, self._steps = self._pass, None, None
        return done

    def _run(self, found: Pass) -> Iterator[None]:
        """One step a process. The oldest of those that share a client has it."""
        pids = sorted(int(name) for name in os.listdir(self._roots.procfs) if name.isdigit())
        self._without = {pid: self._without[pid] for pid in pids if pid in self._without}
        for pid in pids:
            try:
                self._look(pid, found)
            except Denied:
                found.blind += 1
            except HwinfodError:
                pass  # it ended meanwhile
            yield

    def _look(self, pid: int, found: Pass) -> None:
        now = self._clock.monotonic()
        try:
            status = os.stat(self._roots.proc(str(pid), "fd"))
        except OSError:
            return
        looked, descriptors = self._without.get(pid), status.st_size
        patience = _RECHECK_SECONDS if descriptors else _RECHECK_UNTOLD_SECONDS
        if looked and (looked.inode, looked.descriptors) == (status.st_ino, descriptors) and now - looked.at < patience:
            return
        names = list_drm_descriptors(self._roots, pid)
        if not names:
            self._without[pid] = _Looked(status.st_ino, descriptors, now)
            return
        self._without.pop(pid, None)
        start = parse_stat(read_file(self._roots.proc(str(pid), "stat"), _STAT_LIMIT)).start_time_ticks
        for name in names:
            self._add(pid, start, name, found)

    def _add(self, pid: int, start: int, descriptor: str, found: Pass) -> None:
        """A descriptor that was closed meanwhile, or whose driver says what is not documented, costs itself."""
        try:
            client = read_client(self._roots, pid, descriptor)
        except Denied:
            raise
        except HwinfodError:
            return
        if client is None or not client.pci_address:
            return
        key = (client.pci_address, -1 if client.id is None else client.id, "" if client.id is not None else f"{pid}")
        found.clients.setdefault(key, Seen(client, pid, start, self._clock.monotonic()))
