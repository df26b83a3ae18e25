# SPDX-License-Identifier: MIT
"""SIGALRM on the daemon's loop: the alarm of `core.crew`, which costs a system call where a thread that watches would
cost two wakes a second."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Alarm:
    """The process's one real-time timer, setitimer(2)."""

    def set(self, seconds: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def clear(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def open(self, loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
        """From the main thread, before the first `set`: a signal that nobody takes ends a process."""
        loop.add_signal_handler(signal.SIGALRM, act)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """From the main thread. A thread that was left behind may still set it: that is ignored from now on."""
        loop.remove_signal_handler(signal.SIGALRM)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        self.clear()
