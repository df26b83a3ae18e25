# SPDX-License-Identifier: MIT
"""The threads on which lanes take their turns: how one is started, and how one waits."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def start_thread(name: str, main: Callable[[], object]) -> None:
    """A daemon thread: one that hangs outlives no exit. Raises RuntimeError where none can be had.

    The crew's alarm is for the main thread: in a vendor's library SIGALRM would be an interrupted call.
    """

    def run() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        main()

    threading.Thread(target=run, name=name, daemon=True).start()


class Wake:
    """What one thread waits on until another has something for it: a lock that is held but for a moment, at half the
    price of a Condition."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def notify(self) -> None:
        """From any thread. Never waits."""
        with contextlib.suppress(RuntimeError):  # it was told already, and has not looked yet
            self._lock.release()

    def wait(self, seconds: float) -> None:
        """Until notified, at most so long; math.inf: for ever; 0 or less: not at all."""
        if seconds > 0:
            self._lock.acquire(timeout=-1 if seconds == math.inf else min(seconds, threading.TIMEOUT_MAX))
