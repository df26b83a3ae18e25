# SPDX-License-Identifier: MIT
"""Command lines of processes, read when somebody asks for them and kept nowhere: they may hold passwords."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hwinfod.errors import HwinfodError
from hwinfod.sources.process import ProcessFiles, parse_command_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwinfod.core.host import RootPaths

    ProcessKey = tuple[int, int]  # pid and start time in ticks: a number is given anew
    CommandOf = Callable[[int, int], "str | None"]


def untold(pid: int, start_time_ticks: int) -> str | None:
    """The command line of no process: nobody asked, or whoever did may not see them."""
    del pid, start_time_ticks
    return None


def command_line_of(roots: RootPaths, process: ProcessKey) -> str:
    """The directory stays with the process that it was opened of. Raises HwinfodError where the process has ended, or
    another one has its number now."""
    pid, start_time_ticks = process
    with contextlib.closing(ProcessFiles(roots, pid)) as files:
        if files.stat().start_time_ticks != start_time_ticks:
            raise HwinfodError(f"process {pid} is another one now")
        return parse_command_line(files.command_line())
