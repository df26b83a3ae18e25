# SPDX-License-Identifier: MIT
"""On which line of a TOML text a key stands. The parser does not tell, and an error without a line is half one."""

from __future__ import annotations


def key_lines(text: str) -> dict[str, int]:
    """Lines, from 1, of the keys and sections of a valid TOML text, by dotted path.

    A scan, not a parser: a key in an inline table, and one whose quoted name has a point or an equals sign,
    is not found; a text or array over several lines is passed over.
    """
    lines: dict[str, int] = {}
    section = ""
    quotes = ""  # of the multi-line text that we are in
    brackets = 0  # of the array that we are in
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if quotes:
            quotes = "" if quotes in line else quotes
            continue
        if not brackets and line.startswith("["):
            section = _path(line.partition("#")[0].strip(" \t[]"))
            _note(lines, section, number)
            continue
        if not brackets and "=" in line and line[0] != "#":
            key, _, line = line.partition("=")
            _note(lines, _path(f"{section}.{key}" if section else key), number)
        quotes = next((mark for mark in ('"""', "'''") if line.count(mark) == 1), "")
        if not quotes:
            brackets += _opened(line)
    return lines


def _opened(line: str) -> int:
    """How many more brackets a line opens than it closes, outside of texts and comments."""
    opened = 0
    quote = ""
    escaped = False
    for char in line:
        if quote:
            closes = char == quote and not escaped
            escaped = char == "\\" and quote == '"' and not escaped
            quote = "" if closes else quote
        elif char == "#":
            break
        elif char in "\"'":
            quote = char
        else:
            opened += (char == "[") - (char == "]")
    return opened


def _note(lines: dict[str, int], path: str, number: int) -> None:
    """The first line of a path, and of the sections around it, which may have no line of their own."""
    while path and path not in lines:
        lines[path] = number
        path = path.rpartition(".")[0]


def _path(key: str) -> str:
    # Deeper than any setting: a file of a.a.a. must not cost its size squared.
    return ".".join(part.strip(" \t\"'") for part in key.split(".", 8)[:8])


def line_of(lines: dict[str, int], path: tuple[str, ...]) -> int:
    """The line of a key, else of the nearest section around it, else 0."""
    for length in range(len(path), 0, -1):
        line = lines.get(".".join(path[:length]))
        if line:
            return line
    return 0
