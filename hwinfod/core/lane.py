# SPDX-License-Identifier: MIT
"""A lane: collectors of one kind of slowness, run one after the other, each beat on the wall clock's own second.

A call that hangs costs its lane and nothing else. A lane begins with a thread of its own; one that proves quick joins
the `crew` and shares its thread. Threads are daemon threads, never of a ThreadPoolExecutor, whose exit hook would wait
for them. A lane hands over finished rows and takes commands; nothing else crosses.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from typing import TYPE_CHECKING

from hwinfod.core.clock import seconds_to_tick
from hwinfod.core.thread import Wake, start_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwinfod.core.clock import Clock
    from hwinfod.core.runner import Runner

log = logging.getLogger("hwinfod.lane")

QUICK_SECONDS = 0.01  # a turn that others can wait for
PROVEN_TURNS = 3  # so many quick turns in a row, and a lane needs no thread of its own


class Schedule:
    """When which beat is due. Times are monotonic; they are aligned anew at every tick, so that a wall clock that
    jumps shifts the next tick by less than one interval and never queues any."""

    def __init__(self, clock: Clock, phase_seconds: float) -> None:
        self._clock = clock
        self._phase = phase_seconds
        self._due: dict[tuple[Runner, str], float] = {}
        self.next_due = math.inf  # monotonic, of the first that is due

    def add(self, runner: Runner) -> None:
        """All beats of a runner are due at once: the first sample is what everyone waits for."""
        for method in runner.intervals:
            self._due[(runner, method)] = self._clock.monotonic()
        self._look_ahead()

    def remove(self, runner: Runner) -> None:
        for method in runner.intervals:
            self._due.pop((runner, method), None)
        self._look_ahead()

    def _look_ahead(self) -> None:
        self.next_due = min(self._due.values(), default=math.inf)

    def hurry(self, runner: Runner) -> None:
        """The runner's hardware may have come: do not wait for the rescan."""
        if not runner.is_open and any(key[0] is runner for key in self._due):
            self.add(runner)

    def wait_seconds(self) -> float | None:
        """How long until something is due; None where nothing ever is."""
        return None if self.next_due == math.inf else max(0.0, self.next_due - self._clock.monotonic())

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
        self._look_ahead()

    def _start_others(self, runner: Runner) -> None:
        """Hardware that has come is sampled by all of its beats at once."""
        for method in runner.intervals:
            if method != runner.opening_method and (runner, method) in self._due:
                self._due[(runner, method)] = self._clock.monotonic()


class Lane:
    """A named schedule with a thread, or a place in a crew. `busy_since` of its runners' health tells the supervisor
    what hangs. `take_over` is given the lane when it has proven quick."""

    def __init__(
        self, name: str, clock: Clock, phase_seconds: float, take_over: Callable[[Lane], None] | None = None
    ) -> None:
        self.name = name
        self.runners: list[Runner] = []
        self._clock = clock
        self._take_over = take_over
        self._schedule = Schedule(clock, phase_seconds)
        self._commands: deque[Callable[[], None]] = deque()
        self._wake = Wake()
        self._notify = self._wake.notify
        self._quick_turns = 0
        self._stopping = False
        self._started = False
        self._ended = threading.Event()

    def add(self, runner: Runner) -> None:
        """In a turn: a collector whose first sample is due at once."""
        self.runners.append(runner)
        self._schedule.add(runner)

    def remove(self, runner: Runner) -> None:
        """In a turn: closes the collector and forgets it."""
        self.runners.remove(runner)
        self._schedule.remove(runner)
        runner.close()

    def start(self) -> None:
        """Gives the lane a thread of its own."""
        self._started = True
        start_thread(f"lane-{self.name}", self.run_alone)

    def submit(self, command: Callable[[], None]) -> None:
        """Runs a command between two ticks. Never waits; a hung lane runs it when it is back."""
        self._commands.append(command)
        self._notify()

    def rescan(self) -> None:
        """Hardware may have come: every collector of this lane that is not open tries again now."""

        def hurry() -> None:
            for runner in self.runners:
                self._schedule.hurry(runner)

        self.submit(hurry)

    def stop(self) -> None:
        """Asks the lane to end after the call that it is in."""
        self._stopping = True
        self._notify()

    def join(self, timeout_seconds: float) -> bool:
        """Whether the lane ended in time."""
        return not self._started or self._ended.wait(timeout_seconds)

    @property
    def next_due(self) -> float:
        """When a turn is due, monotonic: minus infinity where something waits for it."""
        return -math.inf if self._commands or self._stopping else self._schedule.next_due

    @property
    def is_quick(self) -> bool:
        """Whether the last turn was one that others can wait for."""
        return self._quick_turns > 0

    def turn(self) -> bool:
        """Runs what waits and what is due, on whichever thread has the lane. False when the lane has ended."""
        try:
            goes_on = self._take_turn()
        except BaseException:  # what ends a thread, as SystemExit does, is to end no other lane
            log.exception("lane %s ended", self.name)
            goes_on = False
        if not goes_on:
            self._ended.set()
        return goes_on

    def _take_turn(self) -> bool:
        begun = self._clock.monotonic()
        while self._commands and not self._stopping:
            command = self._commands.popleft()
            try:
                command()
            except Exception:  # a broken command must not end the lane
                log.exception("lane %s: command failed", self.name)
        if self._stopping:
            for runner in self.runners:
                runner.close()
            return False
        self._schedule.run_due()
        self._quick_turns = self._quick_turns + 1 if self._clock.monotonic() - begun < QUICK_SECONDS else 0
        return True

    def join_crew(self, notify: Callable[[], None]) -> None:
        """From the crew: it gives the turns now, and is to be told when there is something to do."""
        self._notify = notify

    def run_alone(self) -> None:
        """Gives itself turns on this thread, until it ends or has proven quick."""
        self._notify = self._wake.notify  # before the look at what waits: what comes later wakes it
        self._quick_turns = 0
        while True:
            self._wake.wait(self.next_due - self._clock.monotonic())
            if not self.turn():
                return
            if self._take_over is not None and self._quick_turns >= PROVEN_TURNS:
                self._take_over(self)
                return
