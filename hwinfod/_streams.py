# SPDX-License-Identifier: MIT
"""Standard output and error of both programs, where the caller closed them or nobody takes what is written."""

from __future__ import annotations

import os
import sys


def open_closed() -> None:
    """Gives the standard descriptors that are closed (`>&-`) to /dev/null, before a socket or a file of ours gets
    their number and what is printed goes there. Python has None for such a stream. Output is opened for reading, so
    that writing to it fails, as it does where a program of coreutils is called so; words of errors go nowhere."""
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        if _is_closed(number):
            os.open(os.devnull, flags)  # takes the lowest number that is free, which is this one
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def forget_output() -> None:
    """What is left of the output is written nowhere, so that the interpreter's end does not fail with it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False
