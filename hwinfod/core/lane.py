# SPDX-License-Identifier: MIT
"""A lane: one thread that runs collectors of one kind of slowness, each beat on the wall clock's own second.

A call that hangs costs its lane and nothing else. The thread is a daemon thread, never of a ThreadPoolExecutor,
whose exit hook would wait for it. A lane hands over finished rows and takes commands; nothing else crosses.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from hwinfod.core.clock import seconds_to_tick

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwinfod.core.clock import Clock
    from hwinfod.core.runner import Runner

log = logging.getLogger("hwinfod.lane")


class Schedule:
    """When which beat is due. Times are monotonic; they are aligned anew at every tick, so that a wall clock that
    jumps shifts the next tick by less than one interval and never queues any."""

    def __init__(self, clock: Clock, phase_seconds: float) -> None:
        self._clock = clock
        self._phase = phase_seconds
        self._due: dict[tuple[Runner, str], float] = {}

    def add(self, runner: Runner) -> None:
        """All beats of a runner are due at once: the first sample is what everyone waits for."""
        for method in runner.intervals:
            self._due[(runner, method)] = self._clock.monotonic()

    def remove(self, runner: Runner) -> None:
        for method in runner.intervals:
            self._due.pop((runner, method), None)

    def hurry(self, runner: Runner) -> None:
        """The runner's hardware may have come: do not wait for the rescan."""
        if not runner.is_open and any(key[0] is runner for key in self._due):
            self.add(runner)

    def wait_seconds(self) -> float | None:
        """How long until something is due; None where nothing ever is."""
        if not self._due:
            return None
        return max(0.0, min(self._due.values()) - self._clock.monotonic())

    def run_due(self) -> None:
        """Runs what is due, in the order in which it was added. Ticks that a slow one ran over are skipped."""
        begun = self._clock.monotonic()
        for runner, method in [key for key, due in self._due.items() if due <= begun]:
            due = self._due[(runner, method)]
            was_open = runner.is_open
            if was_open or method == runner.opening_method:
                runner.run(method)
            wait = runner.wait_seconds(method)
            late = self._clock.monotonic() - due
            if runner.is_open and late > wait:
                runner.health.overruns += int(late / wait)
            if (runner, method) in self._due:
                aligned = seconds_to_tick(self._clock.wall_ns(), wait, self._phase)
                self._due[(runner, method)] = self._clock.monotonic() + aligned
            if runner.is_open and not was_open:
                self._start_others(runner)

    def _start_others(self, runner: Runner) -> None:
        """Hardware that has come is sampled by all of its beats at once."""
        for method in runner.intervals:
            if method != runner.opening_method and (runner, method) in self._due:
                self._due[(runner, method)] = self._clock.monotonic()


class Lane:
    """A named thread with a schedule. `busy_since` of its runners' health tells the supervisor what hangs."""

    def __init__(self, name: str, clock: Clock, phase_seconds: float) -> None:
        self.name = name
        self.runners: list[Runner] = []
        self._schedule = Schedule(clock, phase_seconds)
        self._commands: deque[Callable[[], None]] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._main, name=f"lane-{name}", daemon=True)

    def add(self, runner: Runner) -> None:
        """From the lane's own thread: a collector whose first sample is due at once."""
        self.runners.append(runner)
        self._schedule.add(runner)

    def remove(self, runner: Runner) -> None:
        """From the lane's own thread: closes the collector and forgets it."""
        self.runners.remove(runner)
        self._schedule.remove(runner)
        runner.close()

    def start(self) -> None:
        self._thread.start()

    def submit(self, command: Callable[[], None]) -> None:
        """Runs a command on the lane's thread between two ticks. Never waits; a hung lane runs it when it is back."""
        with self._wake:
            self._commands.append(command)
            self._wake.notify()

    def rescan(self) -> None:
        """Hardware may have come: every collector of this lane that is not open tries again now."""

        def hurry() -> None:
            for runner in self.runners:
                self._schedule.hurry(runner)

        self.submit(hurry)

    def stop(self) -> None:
        """Asks the thread to end after the call that it is in."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def join(self, timeout_seconds: float) -> bool:
        """Whether the thread ended in time."""
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _main(self) -> None:
        while True:
            with self._wake:
                if not self._commands and not self._stopping:
                    wait = self._schedule.wait_seconds()
                    if wait is None or wait > 0:
                        self._wake.wait(wait)
                if self._stopping:
                    break
                commands = list(self._commands)
                self._commands.clear()
            for command in commands:
                try:
                    command()
                except Exception:  # a broken command must not end the lane
                    log.exception("lane %s: command failed", self.name)
            self._schedule.run_due()
        for runner in self.runners:
            runner.close()
