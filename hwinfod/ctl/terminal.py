# SPDX-License-Identifier: MIT
"""What a terminal can show: colour where there is one, bars, sparklines, columns; plain text where there is not."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}
_BLOCKS = " ▁▂▃▄▅▆▇█"
_PLAIN_BLOCKS = " .:-=+*#@"
_WIDTH = 80


class Terminal:
    """Where output goes. `colour` and `unicode` are what it takes; `width` is in columns."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str], *, no_colour: bool = False) -> None:
        self.stream = stream
        self.is_tty = stream.isatty()
        self.colour = (
            self.is_tty and not no_colour and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
        )
        self.unicode = (stream.encoding or "").lower().replace("-", "") == "utf8"
        self.width = shutil.get_terminal_size((_WIDTH, 24)).columns if self.is_tty else _columns_asked_for(environ)

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


def _columns_asked_for(environ: Mapping[str, str]) -> int:
    """$COLUMNS where it is a width, as shutil.get_terminal_size() takes it."""
    asked = environ.get("COLUMNS", "")
    return int(asked) if asked.isascii() and asked.isdigit() and int(asked) > 0 else _WIDTH


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
    """Rows as lines with aligned columns, two spaces apart; `right` are the columns of numbers. A title, which is a row
    of one cell, takes no room from the others."""
    if not rows:
        return []
    widths = [
        max((visible_length(row[i]) for row in rows if i < len(row) and (i in right or len(row) > 1)), default=0)
        for i in range(max(map(len, rows)))
    ]
    lines = []
    for row in rows:
        cells = []
        for i, cell in enumerate(row):
            gap = " " * (widths[i] - visible_length(cell))
            cells.append(gap + cell if i in right else cell + gap)
        lines.append("  ".join(cells).rstrip())
    return lines


def wrap(head: str, parts: Sequence[str], width: int) -> list[str]:
    """Parts behind a head, two spaces apart, as many on a line as there is room for; the further lines as far in."""
    lines = [head]
    for number, part in enumerate(parts):
        if number and visible_length(lines[-1]) + 2 + visible_length(part) > width:
            lines.append(" " * visible_length(head) + part)
        else:
            lines[-1] += f"  {part}" if number else part
    return lines


def folded(text: str, width: int) -> list[str]:
    """A sentence as lines, the further ones two spaces in; a word that is longer than a line stays whole."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1].strip() and len(lines[-1]) + 1 + len(word) > width:
            lines.append(f"  {word}")
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return lines


def filled(text: str, width: int, head: str = "  ") -> str:
    """Text behind a head, its further lines as far in. Paths and names stay whole, which textwrap breaks at hyphens."""
    behind = " " * len(head)
    return textwrap.fill(
        text, width, initial_indent=head, subsequent_indent=behind, break_on_hyphens=False, break_long_words=False
    )


def printable(text: str) -> str:
    """Text of the host without control characters: a device or a process must not speak to the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def standard_output(*, no_colour: bool) -> Terminal:
    return Terminal(sys.stdout, os.environ, no_colour=no_colour)
