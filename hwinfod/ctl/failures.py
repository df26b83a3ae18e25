# SPDX-License-Identifier: MIT
"""What can go wrong for hwinfoctl, with its exit status. A message says what and why; the hint what to do."""

from __future__ import annotations

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
