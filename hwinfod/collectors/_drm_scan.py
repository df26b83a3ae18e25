# SPDX-License-Identifier: MIT
"""Finds the clients of DRM devices: walks the descriptors of all processes, in steps."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwinfod.errors import Denied, HwinfodError
from hwinfod.sources.drm_fdinfo import is_drm_node, read_client
from hwinfod.sources.process_walk import ProcessWalk

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwinfod.core.clock import Clock
    from hwinfod.core.host import RootPaths
    from hwinfod.sources.drm_fdinfo import Client
    from hwinfod.sources.process_walk import OpenFiles

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


class ClientScanner:
    """`begin`, then `work` until it gives the pass."""

    def __init__(self, roots: RootPaths, clock: Clock) -> None:
        self._roots = roots
        self._clock = clock
        self._walk = ProcessWalk(roots, clock, is_drm_node)
        self._pass = Pass(0)

    def begin(self) -> None:
        """Starts a pass, unless one is going on."""
        if not self._walk.is_running:
            self._pass = Pass(self._clock.boottime_ns())
            self._walk.begin(self._see)

    def work(self, cpu_seconds: float, cpu_clock: Callable[[], float] = time.thread_time) -> Pass | None:
        """Goes on for so much CPU time. The pass when it is done, else None."""
        if not self._walk.work(cpu_seconds, cpu_clock):
            return None
        self._pass.blind = self._walk.blind
        return self._pass

    def _see(self, process: OpenFiles) -> None:
        """The oldest of those that share a client has it: processes come in the order of their numbers."""
        for descriptor, _ in process.files:
            self._add(process, descriptor)

    def _add(self, process: OpenFiles, descriptor: str) -> None:
        """A descriptor that was closed meanwhile, or whose driver says what is not documented, costs itself."""
        pid = process.pid
        try:
            client = read_client(self._roots, pid, descriptor)
        except Denied:
            raise
        except HwinfodError:
            return
        if client is None or not client.pci_address:
            return
        key = (client.pci_address, -1 if client.id is None else client.id, "" if client.id is not None else f"{pid}")
        self._pass.clients.setdefault(key, Seen(client, pid, process.start_time_ticks, self._clock.monotonic()))
