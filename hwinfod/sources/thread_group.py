# SPDX-License-Identifier: MIT
"""The process that a thread belongs to. The kernel names threads where it means who made something: the maker of
an RDMA object, for one. Source: /proc/PID/status, line Tgid; Documentation/filesystems/proc.rst table 1-2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.errors import ParseError
from hwinfod.sources.files import read_file

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

_STATUS_LIMIT = 64 << 10


def parse_thread_group(data: bytes) -> int:
    """The number in line Tgid. A name cannot forge it: in the line above newlines are escaped. Raises ParseError."""
    _, found, rest = data.partition(b"\nTgid:")
    try:
        if not found:
            raise ValueError
        return int(rest.split(b"\n", 1)[0])
    except ValueError:
        raise ParseError(f"status: {data[:80]!r}") from None


def read_thread_group(roots: RootPaths, task: int) -> int:
    """The process of a thread or, for its own number, of a process: /proc finds both, but lists only the latter.
    Raises a `ReadError` (Gone when it ended) or ParseError."""
    return parse_thread_group(read_file(roots.proc(str(task), "status"), _STATUS_LIMIT))
