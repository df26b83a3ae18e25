# SPDX-License-Identifier: MIT
"""Letting go of a driver for a while, so that others can reset, reconfigure or unload it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwinfod.core.clock import Clock


class Hold:
    """Whether the daemon stays away from the driver, until when and why. Any thread asks, any thread sets.

    A collector that uses the driver subscribes with what makes it let go soon, and says while it holds something.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: float | None = None
        self._subscribers: dict[str, Callable[[], None]] = {}
        self._holding: set[str] = set()
        self.reason = ""

    def take(self, seconds: float, reason: str) -> None:
        """Everyone lets go now, for so many seconds."""
        with self._lock:
            self._until = self._clock.monotonic() + seconds
            self.reason = reason
            subscribers = list(self._subscribers.values())
        for let_go in subscribers:
            let_go()

    def drop(self) -> None:
        """Everyone may take the driver again."""
        with self._lock:
            self._until = None
            self.reason = ""
            subscribers = list(self._subscribers.values())
        for look_again in subscribers:
            look_again()

    def remaining_seconds(self) -> float:
        """How long the daemon still stays away; 0 where it does not."""
        until = self._until
        return 0.0 if until is None else max(0.0, until - self._clock.monotonic())

    @property
    def is_active(self) -> bool:
        return self.remaining_seconds() > 0

    def holding(self) -> list[str]:
        """The collectors that have not let go."""
        return sorted(self._holding)

    def subscribe(self, collector: str, look: Callable[[], None]) -> None:
        """`look` is called from any thread whenever the hold begins or ends, and must not wait."""
        with self._lock:
            self._subscribers[collector] = look

    def unsubscribe(self, collector: str) -> None:
        """The collector was closed, and has given everything back."""
        with self._lock:
            self._subscribers.pop(collector, None)
            self._holding.discard(collector)

    def set_holding(self, collector: str, holds: bool) -> None:
        """Whether a collector has handles or descriptors of the driver."""
        with self._lock:
            (self._holding.add if holds else self._holding.discard)(collector)
