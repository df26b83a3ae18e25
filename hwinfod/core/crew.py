# SPDX-License-Identifier: MIT
"""The crew: one thread for all lanes that have proven quick.

To wake a thread costs more than most of them do once they are awake (docs/adr/0010, 0016), so quick lanes take turns
on one thread, which is on duty. Before each turn it sets an alarm. Where a turn has not ended by then, the alarm
relieves the thread: it keeps that one lane, and a new thread takes the others, so that a call that hangs costs them a
moment, once. What it hung in proves quick anew before it shares a thread again.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Protocol

from hwinfod.core.thread import Wake, start_thread

if TYPE_CHECKING:
    from hwinfod.core.clock import Clock
    from hwinfod.core.lane import Lane

log = logging.getLogger("hwinfod.lane")

LATE_SECONDS = 0.05


class Alarm(Protocol):
    """Calls `Crew.relieve` from another thread after some seconds, unless it is set anew before."""

    def set(self, seconds: float) -> None: ...

    def clear(self) -> None: ...


class Crew:
    """Lanes that share a thread. `alarm` is to call `relieve`."""

    def __init__(self, clock: Clock, alarm: Alarm) -> None:
        self._clock = clock
        self._alarm = alarm
        self._lock = threading.Lock()  # of what follows
        self._lanes: tuple[Lane, ...] = ()
        self._is_on_duty = False  # whether one of our threads has the lanes
        self._serving: Lane | None = None
        self._since = 0.0
        self._wake = Wake()

    def take(self, lane: Lane) -> None:
        """From the thread that has the lane, which leaves it: the crew gives it its turns now."""
        lane.join_crew(self._wake.notify)
        with self._lock:
            self._lanes = (*self._lanes, lane)
            if not self._is_on_duty:
                self._start()
        self._wake.notify()

    def relieve(self) -> None:
        """From any other thread: if the thread on duty is late, it keeps the lane that it is in, and loses the rest.
        Raises RuntimeError where no thread could be started: to be called again."""
        with self._lock:
            lane = self._serving
            if lane is None:
                if self._lanes and not self._is_on_duty:
                    self._start()
                return
            rest = self._since + LATE_SECONDS - self._clock.monotonic()
            if rest > 0:  # this alarm was for the lane before
                self._alarm.set(rest)
                return
            self._drop(lane)
            self._serving = None
            self._is_on_duty = False
            if self._lanes:
                self._start()

    def end(self, deadline: float) -> None:
        """From the thread that `relieve` is for, after all lanes were asked to stop: sees to it that none waits for
        one that hangs, until `deadline` (monotonic)."""
        while (lanes := self._lanes) and self._clock.monotonic() < deadline:
            lanes[0].join(LATE_SECONDS)
            self.relieve()

    def _start(self) -> None:
        """With the lock."""
        start_thread("crew", self._main)
        self._is_on_duty = True

    def _drop(self, lane: Lane) -> None:
        """With the lock."""
        self._lanes = tuple(one for one in self._lanes if one is not lane)

    def _main(self) -> None:
        while True:
            now = self._clock.monotonic()
            due = [lane for lane in self._lanes if lane.next_due <= now]
            for lane in due:
                if not self._serve(lane):
                    return
            if not due and not self._wait(now):
                return

    def _wait(self, now: float) -> bool:
        """Until something is due. False where nobody is left to wait for."""
        self._alarm.clear()
        with self._lock:
            if not self._lanes:
                self._is_on_duty = False
                return False
            wait = min(lane.next_due for lane in self._lanes) - now
        self._wake.wait(wait)
        return True

    def _serve(self, lane: Lane) -> bool:
        """One turn of one lane. False where this thread was relieved meanwhile, and did what was left to it."""
        with self._lock:
            self._serving, self._since = lane, self._clock.monotonic()
        self._alarm.set(LATE_SECONDS)
        goes_on = lane.turn()
        with self._lock:
            is_relieved = self._serving is not lane
            if not is_relieved:
                self._serving = None
                if not (goes_on and lane.is_quick):
                    self._drop(lane)
        if is_relieved:
            if goes_on:
                lane.run_alone()
            return False
        if goes_on and not lane.is_quick:
            self._leave_alone(lane)
        return True

    def _leave_alone(self, lane: Lane) -> None:
        try:
            lane.start()
        except RuntimeError as error:  # as many threads as the unit's TasksMax= lets us have
            log.warning("lane %s stays with the others: %s", lane.name, error)
            self.take(lane)
