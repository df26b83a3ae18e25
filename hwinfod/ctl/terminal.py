# SPDX-License-Identifier: MIT
"""What a terminal can show: colour where there is one, bars, sparklines, columns; plain text where there is not."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}
_BLOCKS = " ▁▂▃▄▅▆▇█"
_PLAIN_BLOCKS = " .:-=+*#@"


class Terminal:
    """Where output goes. `colour` and `unicode` are what it takes; `width` is in columns."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str], *, no_colour: bool = False) -> None:
        self.stream = stream
        self.is_tty = stream.isatty()
        self.colour = (
            self.is_tty and not no_colour and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
        )
        self.unicode = (stream.encoding or "").lower().replace("-", "") == "utf8"
        self.width = shutil.get_terminal_size((80, 24)).columns if self.is_tty else int(environ.get("COLUMNS") or 80)

    def paint(self, text: str, *styles: str) -> str:
        """The text in colours; as it is where there are none."""
        if not self.colour or not styles or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def bar(self, ratio: float, width: int) -> str:
        """A ratio from 0 to 1 as a bar: green, yellow from 75 %, red from 90 %."""
        filled = round(min(max(ratio, 0.0), 1.0) * width)
        full, empty = ("█", "░") if self.unicode else ("#", ".")
        style = "red" if ratio >= 0.9 else "yellow" if ratio >= 0.75 else "green"
        return self.paint(full * filled, style) + self.paint(empty * (width - filled), "dim")

    def sparkline(self, values: Sequence[float | None], low: float, high: float) -> str:
        """One character a value between low and high; a gap where there is none."""
        blocks = _BLOCKS if self.unicode else _PLAIN_BLOCKS
        span = (high - low) or 1.0
        return "".join(
            " " if value is None else blocks[1 + min(7, int((value - low) / span * 7.999))] for value in values
        )

    def write(self, text: str) -> None:
        self.stream.write(text + "\n")


def visible_length(text: str) -> int:
    """Characters that take room: colours do not."""
    length, inside = 0, False
    for character in text:
        if character == "\x1b":
            inside = True
        elif inside:
            inside = character != "m"
        else:
            length += 1
    return length


def columns(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Rows as lines with aligned columns, two spaces apart; `right` are the columns of numbers."""
    if not rows:
        return []
    widths = [max(visible_length(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows)))]
    lines = []
    for row in rows:
        cells = []
        for i, cell in enumerate(row):
            gap = " " * (widths[i] - visible_length(cell))
            cells.append(gap + cell if i in right else cell + gap)
        lines.append("  ".join(cells).rstrip())
    return lines


def printable(text: str) -> str:
    """Text of the host without control characters: a device or a process must not speak to the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def standard_output(*, no_colour: bool) -> Terminal:
    return Terminal(sys.stdout, os.environ, no_colour=no_colour)
