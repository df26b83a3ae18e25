# SPDX-License-Identifier: MIT
"""What systemd and the journal want to hear. Source: sd_notify(3), systemd.exec(5) on $JOURNAL_STREAM,
sd-daemon(3) on priorities at the beginning of a line."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class Notifier:
    """Talks to the service manager; silent where there is none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._notifier = None
        if environ.get("NOTIFY_SOCKET"):
            from sdnotify import SystemdNotifier  # 1.5 MiB that a run in the foreground does not need

            self._notifier = SystemdNotifier()
            if self._notifier.socket is not None:
                # Ten messages that nobody reads fill it (net.unix.max_dgram_qlen), and the eleventh would hold the loop
                # and with it every client. What a manager that hangs does not hear is dropped.
                self._notifier.socket.setblocking(False)
        self.watchdog_seconds = _watchdog_seconds(environ)

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        self._send(f"STATUS={status}")

    def reloading(self) -> None:
        """RELOADING without the time would make a Type=notify-reload unit wait for its time-out."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=stopping")

    def alive(self) -> None:
        """Feeds the watchdog: said by the supervisor on the loop, so that it says both still turn."""
        if self.watchdog_seconds:
            self._send("WATCHDOG=1")

    def close(self) -> None:
        """Nothing is said any more."""
        notifier, self._notifier = self._notifier, None
        if notifier is not None and notifier.socket is not None:
            notifier.socket.close()

    def _send(self, message: str) -> None:
        if self._notifier is not None:
            self._notifier.notify(message)


def _watchdog_seconds(environ: Mapping[str, str]) -> float:
    """The unit's WatchdogSec, 0 where it has none or means another process."""
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or (pid and pid != str(os.getpid())):
        return 0.0
    return int(microseconds) / 1e6


class _JournalFormatter(logging.Formatter):
    """The journal keeps time and identity itself."""

    def format(self, record: logging.LogRecord) -> str:
        return _marked(super().format(record), record.levelno)


def _marked(text: str, level: int) -> str:
    """`<3>message`, and the same before each line that follows."""
    prefix = f"<{_PRIORITIES.get(level, 6)}>"
    return prefix + text.replace("\n", f"\n{prefix}")


def complain(text: str, environ: Mapping[str, str]) -> None:
    """Says on standard error what ends the program, where nothing is logged yet: an error where that is the journal."""
    print(_marked(text, logging.ERROR) if _is_journal(sys.stderr, environ) else text, file=sys.stderr)


def set_up_logging(level: str, environ: Mapping[str, str]) -> None:
    """Logs to standard error: priorities where that is the journal, times where it is a terminal or a file."""
    handler = logging.StreamHandler(sys.stderr)
    if _is_journal(sys.stderr, environ):
        handler.setFormatter(_JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.raiseExceptions = False  # a full disk behind standard error must not print more
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    try:
        status = os.fstat(stream.fileno())
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
