# SPDX-License-Identifier: MIT
"""How processes were started, as a last column: where there is room for it, or whole where somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl.terminal import columns, printable, visible_length

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from hwinfod.ctl.terminal import Terminal

QUERY = {"command_lines": "true"}  # null for everyone but root and the group hwinfod
_LEAST = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-w",
        "--wide",
        action="store_true",
        help="command lines whole, however wide the screen is (root, group hwinfod)",
    )


def table(
    rows: Sequence[list[str]],
    commands: Sequence[str | None],
    terminal: Terminal,
    *,
    right: frozenset[int],
    wide: bool,
) -> list[str]:
    """Rows with their head first as lines, and behind each the command line of its process."""
    lines = columns(rows, right=right)
    room = terminal.width - max(map(visible_length, lines)) - 2
    if not any(commands) or (room < _LEAST and not wide):
        return lines
    cells = ["COMMAND", *(_cell(command or "-", 0 if wide else room) for command in commands)]
    return columns([[*row, cell] for row, cell in zip(rows, cells, strict=True)], right=right)


def _cell(command: str, room: int) -> str:
    text = printable(command)
    return text if not room or len(text) <= room else f"{text[: room - 2]}.."
