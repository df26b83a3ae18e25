# SPDX-License-Identifier: MIT
"""JSON that another program wrote, in which tenants have their say: bounded, and never of the wrong type."""

from __future__ import annotations

import json

from hwinfod.errors import ParseError
from hwinfod.sources.files import clean_text

_LONGEST_NUMBER = 20


def parse_json(data: bytes) -> object:
    """The document. Raises ParseError, for one that is nested too deeply too."""
    try:
        value: object = json.loads(data, parse_int=as_integer)
    except (ValueError, RecursionError):
        raise ParseError(f"json: {data[:60]!r}") from None
    return value


def mapping(value: object, *keys: str) -> dict[str, object]:
    """The object found under `keys`, one below the other; {} where anything on the way is not an object."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def array(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """A string as one printable line, "" where it is none."""
    return clean_text(value.encode("utf-8", "replace")) if isinstance(value, str) else ""


def texts(value: object) -> tuple[str, ...]:
    """The strings in an array."""
    return tuple(text(item) for item in array(value) if isinstance(item, str))


def integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def as_integer(digits: str) -> int | None:
    """For a decoder. None for a number without end: int() takes quadratic time, before Python 3.11 without a limit."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else None
