# SPDX-License-Identifier: MIT
"""Writing single TOML values (https://toml.io/en/v1.0.0), and naming those that a person wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hwinfod.settings.problem import printable

# Everything a setting can be written as.
Toml = bool | int | float | str | Sequence["Toml"]

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def toml_text(value: Toml) -> str:
    """`value` as it stands behind the equals sign."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return '"' + "".join(_ESCAPES.get(char) or _plain(char) for char in value) + '"'
    return "[" + ", ".join(map(toml_text, value)) + "]"


def _plain(char: str) -> str:
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def dotted(path: Iterable[str]) -> str:
    """A key path as TOML spells it: parts that are not bare words are quoted."""
    return ".".join(part if part and _BARE.issuperset(part) else toml_text(part) for part in path)


def found(value: object) -> str:
    """What a person wrote, for an error: the value where it is short and simple, else what it is."""
    if isinstance(value, str):
        return f'"{printable(value, limit=60)}"'
    if isinstance(value, bool | float):
        return toml_text(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 64 else "a number of more than 64 bits"
    if isinstance(value, list):
        return "an array"
    return "a section" if isinstance(value, dict) else "a date or time"
