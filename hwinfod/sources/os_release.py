# SPDX-License-Identifier: MIT
"""os-release: which distribution this is. Source: os-release(5).

The file is shell syntax without variables or commands; it is read as text, never run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hwinfod.errors import ReadError
from hwinfod.sources.files import clean_text, read_regular

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

_LIMIT = 65536
_PATHS = ("/etc/os-release", "/usr/lib/os-release")
_ASSIGNMENT = re.compile(rb"\s*([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*\Z", re.DOTALL)
# What a backslash quotes within double quotes: POSIX shell, 2.2.3.
_ESCAPED = re.compile(rb'\\([$"\\`])')
_ESCAPED_BARE = re.compile(rb"\\(.)", re.DOTALL)


def parse_os_release(data: bytes) -> dict[str, str]:
    """Variable to value, the later one where there are two. Lines that are no assignment are skipped."""
    values: dict[str, str] = {}
    for line in data.split(b"\n"):
        match = _ASSIGNMENT.match(line)
        if match:
            values[match[1].decode()] = clean_text(_unquote(match[2]))
    return values


def read_os_release(roots: RootPaths) -> dict[str, str]:
    """/etc/os-release, or the one in /usr/lib; empty where there is none."""
    for path in _PATHS:
        try:
            return parse_os_release(read_regular(roots.root(path), _LIMIT))
        except ReadError:
            continue
    return {}


def _unquote(value: bytes) -> bytes:
    quote = value[:1]
    if quote == b"'" and len(value) > 1 and value.endswith(b"'"):
        return value[1:-1]
    if quote == b'"' and len(value) > 1 and value.endswith(b'"'):
        return _ESCAPED.sub(rb"\1", value[1:-1])
    return _ESCAPED_BARE.sub(rb"\1", value)
