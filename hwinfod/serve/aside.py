# SPDX-License-Identifier: MIT
"""Reads of processes that a request asks for, on a thread of their own: what the kernel holds up there costs the one
process, and no other answer.

A command line takes the lock of the process's memory map (mm/memory.c, access_remote_vm()), which a hung driver may
hold for ever; /proc/PID/cgroup waits for whoever moves processes between cgroups (kernel/cgroup/cgroup.c).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hwinfod.core.lane import Lane
from hwinfod.errors import HwinfodError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hwinfod.core.clock import Clock

DEADLINE_SECONDS = 0.5
MOST_HANGING = 4

K = TypeVar("K")
V = TypeVar("V")


class Aside:
    """Reads for the loop that it is used in. The thread is there from the first question on; one that hangs is left to
    itself, and another one takes its place, up to `MOST_HANGING`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lane: Lane | None = None
        self._left: list[tuple[Lane, _Reading[Any, Any]]] = []

    async def read(self, keys: Iterable[K], read: Callable[[K], V]) -> dict[K, V]:
        """What could be read within `DEADLINE_SECONDS`; nothing of a key whose read raises HwinfodError."""
        self._left = [(lane, reading) for lane, reading in self._left if not lane.join(0)]
        hanging = {reading.at for _, reading in self._left}
        wanted = [key for key in keys if key not in hanging]
        if not wanted or len(self._left) >= MOST_HANGING:
            return {}
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def finish() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and whoever asked with it
                loop.call_soon_threadsafe(done.set)

        reading = _Reading(wanted, read, finish)
        lane = self._start()
        lane.submit(reading.run)
        try:
            await asyncio.wait_for(done.wait(), DEADLINE_SECONDS)
        except asyncio.TimeoutError:
            self._leave(lane, reading)
        return dict(reading.found)

    def close(self) -> None:
        """Ends the thread, if it does not hang; nobody waits for it."""
        if self._lane is not None:
            self._lane.stop()

    def _start(self) -> Lane:
        if self._lane is None:
            self._lane = Lane("aside", self._clock, 0.0)
            self._lane.start()
        return self._lane

    def _leave(self, lane: Lane, reading: _Reading[K, V]) -> None:
        """No more of this reading; nor of this thread, where it is in the middle of one read."""
        reading.is_over = True
        if reading.at is not None and lane is self._lane:
            lane.stop()
            self._left.append((lane, reading))
            self._lane = None


class _Reading(Generic[K, V]):
    """What one request asks for. Runs on the lane; `found` grows while it does, and `at` is what is being read."""

    def __init__(self, wanted: Iterable[K], read: Callable[[K], V], finish: Callable[[], None]) -> None:
        self._wanted = wanted
        self._read = read
        self._finish = finish
        self.found: dict[K, V] = {}
        self.at: K | None = None
        self.is_over = False

    def run(self) -> None:
        for key in self._wanted:
            if self.is_over:
                break
            self.at = key
            with contextlib.suppress(HwinfodError):
                self.found[key] = self._read(key)
        self.at = None
        self._finish()
