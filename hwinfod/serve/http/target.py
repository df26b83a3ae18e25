# SPDX-License-Identifier: MIT
"""The request target: a path whose every segment means itself, and a query.

What could mean two things is no path here: dot segments, encoded dots, slashes and controls, escapes that are
none. Source: RFC 3986 sections 2.1 and 3.3; the query is application/x-www-form-urlencoded (`+` is a space).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hwinfod.serve.http import problems
from hwinfod.serve.http.problems import Problem

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
# An escaped dot, slash or backslash hides what it is from one of two readers.
_HIDDEN = re.compile(r"%(2e|2f|5c)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Target(NamedTuple):
    """A decoded request target. `path` begins with "/"; `query` keeps every value in order."""

    path: str
    query: dict[str, list[str]]


def parse_target(raw: str) -> Target:
    """The target of a head that passed the guard (ASCII, begins with "/").

    Raises Problem: not-found for a path that cannot be, malformed-request for a query that cannot be read.
    """
    path, _, query = raw.partition("?")
    return Target(_parse_path(path), _parse_query(query) if query else {})


def _parse_path(raw: str) -> str:
    try:
        path = _unescape(raw) if "%" in raw else raw
    except ValueError:
        raise Problem(problems.NOT_FOUND) from None
    if _HIDDEN.search(raw) or "\\" in path or _CONTROL.search(path) or {".", ".."} & set(path.split("/")):
        raise Problem(problems.NOT_FOUND)
    return path


def _parse_query(raw: str) -> dict[str, list[str]]:
    query: dict[str, list[str]] = {}
    try:
        for pair in raw.split("&"):
            if pair:
                name, _, value = pair.replace("+", " ").partition("=")
                query.setdefault(_unescape(name), []).append(_unescape(value))
    except ValueError:
        raise Problem(problems.MALFORMED_REQUEST, "the query is not percent-encoded UTF-8") from None
    return query


def _unescape(text: str) -> str:
    """Percent-decoded UTF-8. Raises ValueError (UnicodeDecodeError is one)."""
    if text.count("%") != len(_ESCAPE.findall(text)):
        raise ValueError("a percent sign that begins no escape")
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).encode("latin-1").decode()
