# SPDX-License-Identifier: MIT
"""Where a value came from, what is wrong with it, and the one error that says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from hwinfod.errors import UserError

Source = Literal["default", "file", "environment", "flag", "program"]


class Origin(NamedTuple):
    """`name` is a path, a variable or a flag as it was written; `line` is 0 where it is not known."""

    source: Source = "default"
    name: str = ""
    line: int = 0

    def __str__(self) -> str:
        if self.source == "file":
            path = printable(self.name, limit=4096)
            return f"{path}:{self.line}" if self.line else path
        return f"{self.source} {printable(self.name)}" if self.name else self.source


class Problem(NamedTuple):
    """One thing that is wrong. `key` is "" where a whole file or an unknown flag is meant."""

    origin: Origin
    key: str
    text: str
    hint: str = ""

    def __str__(self) -> str:
        """One line, whatever the input was: origin, key, what is wrong, what to do."""
        parts = [str(self.origin), printable(self.key), self.text]
        return ": ".join(part for part in parts if part) + (f"; {self.hint}" if self.hint else "")


class SettingsError(UserError):
    """Everything that is wrong with the configuration or the command line, not the first thing only."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)), hint="hwinfod --help lists every setting")
        self.problems = tuple(problems)


def printable(text: str, limit: int = 100) -> str:
    """`text` without what could move a terminal's cursor, forge a log line or flood it."""
    if len(text) > limit:
        text = text[: limit - 3] + "..."
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """A hint that names the nearest known word, or "" where none is near.

    A `prefix` that all of them have does not count: it would make any two of them look alike.
    """
    import difflib  # 5 ms that only a mistake has to pay

    stems = [name.removeprefix(prefix) for name in known]
    near = difflib.get_close_matches(word.removeprefix(prefix)[:100], stems, n=1, cutoff=0.7)
    return f"did you mean {prefix}{near[0]}?" if near else ""
