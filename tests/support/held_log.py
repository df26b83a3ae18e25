# SPDX-License-Identifier: MIT
"""A log that a test reads, or does not: then the pipe is full, and whoever logs waits in write(2), where it takes
signals as they come.

with HeldLog.open() as log, Daemon.start(wrapper=log.wrapper, pass_fds=log.fds) as daemon:
    log.hold()                     # from now on the daemon stops at the first line that it logs
    log.text()                     # reads, with which it goes on
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_PAGE = 4096


class HeldLog:
    """The standard error of one program."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._text = bytearray()
        self.fds = (self._writer,)
        # Opened anew, so that the program's own end waits where ours would not.
        self.wrapper = ("sh", "-c", 'exec 2>"$0"; exec "$@"', f"/proc/self/fd/{self._writer}")

    @classmethod
    @contextlib.contextmanager
    def open(cls) -> Iterator[HeldLog]:
        log = cls()
        try:
            yield log
        finally:
            os.close(log._reader)
            os.close(log._writer)

    def hold(self) -> None:
        """No byte has room any more."""
        for size in (_PAGE, 1):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(self._writer, bytes(size))

    def text(self) -> str:
        """All that was logged so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._text += os.read(self._reader, _PAGE)
        return self._text.replace(b"\0", b"").decode()
