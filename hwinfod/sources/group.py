# SPDX-License-Identifier: MIT
"""The host's own list of groups, /etc/group: group(5). By a parser of our own: getgrnam(3) may ask a directory server,
and wait for it as long as that likes."""

from __future__ import annotations

from hwinfod.sources.files import read_regular

GROUP = "/etc/group"
_LIMIT = 16 << 20


def parse_group_id(data: bytes, name: str) -> int | None:
    """The id of a group; of several lines with that name the first, as for getgrnam(3). None without a good one."""
    for line in data.split(b"\n"):
        fields = line.split(b":", 3)
        if fields[0] == name.encode() and len(fields) == 4 and fields[2].isdigit() and len(fields[2]) <= 10:
            return int(fields[2])
    return None


def read_group_id(name: str) -> int | None:
    """Of the host on which we are, where the ids of peers come from. Raises a `ReadError`."""
    return parse_group_id(read_regular(GROUP, _LIMIT), name)
