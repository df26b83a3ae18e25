# SPDX-License-Identifier: MIT
"""What can go wrong for hwinfoctl, with its exit status. A message says what and why; the hint what to do."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hwinfod.ctl.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

OK, FAILED, USAGE, UNREACHABLE, DENIED, UNHEALTHY = 0, 1, 2, 3, 4, 5
INTERRUPTED = 130  # 128 + SIGINT, as shells say it

EXIT_STATUS = """\
exit status:
  0  it worked
  1  the daemon refused or failed
  2  the command line is wrong
  3  the daemon is not reachable
  4  permission denied
  5  status only: the host has a critical problem"""


class Failure(Exception):
    """Ends the program with a message and a status."""

    def __init__(self, message: str, hint: str = "", status: int = FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.status = status


@contextlib.contextmanager
def naming(what: str) -> Iterator[None]:
    """A refusal inside says of what: the daemon repeats nothing that it was asked."""
    try:
        yield
    except Failure as failure:
        if failure.status not in (FAILED, USAGE):
            raise
        raise Failure(f"{printable(what)}: {failure}", failure.hint, failure.status) from None
