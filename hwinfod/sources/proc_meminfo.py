# SPDX-License-Identifier: MIT
"""/proc/meminfo and the same of one NUMA node.

Source: Documentation/filesystems/proc.rst "meminfo", drivers/base/node.c node_read_meminfo().
"""

from __future__ import annotations

from hwinfod.errors import ParseError


def parse_meminfo(data: bytes) -> dict[str, int]:
    """Names to bytes; what has no unit (HugePages_Total and the like) is a count. Raises ParseError.

    >>> parse_meminfo(b"MemTotal:  16 kB\\nHugePages_Total:  2\\n")
    {'MemTotal': 16384, 'HugePages_Total': 2}
    """
    return _parse(data, 0)


def parse_node_meminfo(data: bytes) -> dict[str, int]:
    """The same with `Node 0 ` before every line: devices/system/node/nodeN/meminfo. Raises ParseError."""
    return _parse(data, 2)


def _parse(data: bytes, skip: int) -> dict[str, int]:
    found = {}
    try:
        for line in data.decode("ascii").splitlines():
            words = line.split()
            if not words:
                continue
            value = int(words[skip + 1])
            found[words[skip].rstrip(":")] = value << 10 if len(words) == skip + 3 else value
    except (ValueError, IndexError):
        raise ParseError(f"meminfo: not a name and a number: {data[:60]!r}") from None
    return found
