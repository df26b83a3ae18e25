# SPDX-License-Identifier: MIT
"""A large JSON document that is one long array with a frame around it: its items are decoded one by one, so that memory
is needed for one of them and not for all. Source: RFC 8259."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from hwinfod.errors import ParseError
from hwinfod.sources.json_document import as_integer

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_SPACE = " \t\n\r"
_DECODER = json.JSONDecoder(parse_int=as_integer)


def parse_items(data: bytes, key: str, read: Callable[[object], T], most: int) -> tuple[dict[str, object], list[T]]:
    """What the frame has beside the array under `key`, and what `read` makes of each item, of the first `most` of them.
    Without such an array there are none. Raises ParseError, for what is no object too."""
    frame: dict[str, object] = {}
    found: list[T] = []
    try:
        text = data.decode("utf-8")
        at = _behind(text, 0, "{")
        while text[at] != "}":
            name, at = _value(text, at)
            if not isinstance(name, str):
                raise ValueError("a key that is no string")
            at = _behind(text, at, ":")
            if name == key and text[at] == "[":
                found.clear()  # of two arrays under one name the last counts, as everywhere
                at = _items(text, at + 1, lambda item: found.append(read(item)) if len(found) < most else None)
            else:
                frame[name], at = _value(text, at)
            at = _separated(text, at, "}")
        if text[at + 1 :].strip(_SPACE):
            raise ValueError("more behind the document")
    except (ValueError, IndexError, RecursionError):
        raise ParseError(f"json: {data[:60]!r}") from None
    return frame, found


def _items(text: str, at: int, take: Callable[[object], None]) -> int:
    """From behind the bracket to behind its end."""
    at = _skip(text, at)
    while text[at] != "]":
        item, at = _value(text, at)
        take(item)
        at = _separated(text, at, "]")
    return _skip(text, at + 1)


def _value(text: str, at: int) -> tuple[object, int]:
    """A value and where the next thing is."""
    value, at = _DECODER.raw_decode(text, at)
    return value, _skip(text, at)


def _separated(text: str, at: int, end: str) -> int:
    """Where the next thing is, or `end`. A comma before the end is a mistake."""
    if text[at] == end:
        return at
    at = _behind(text, at, ",")
    if text[at] == end:
        raise ValueError("a comma too many")
    return at


def _behind(text: str, at: int, expected: str) -> int:
    at = _skip(text, at)
    if text[at] != expected:
        raise ValueError(f"expected {expected}")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
