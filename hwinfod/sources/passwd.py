# SPDX-License-Identifier: MIT
"""The host's own list of users, /etc/passwd: passwd(5). By a parser of our own: getpwuid(3) may ask a directory server,
and wait for it as long as that likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.sources.files import clean_text, read_regular

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

PASSWD = "/etc/passwd"  # noqa: S105  a file that has had no passwords for thirty years
_LIMIT = 16 << 20
_LONGEST_NAME = 64


def parse_passwd(data: bytes) -> dict[int, str]:
    """Names by uid; of several users with one uid the first, as for getpwuid(3). Lines that are none are left out."""
    users: dict[int, str] = {}
    for line in data.split(b"\n"):
        fields = line.split(b":")
        if len(fields) < 4 or not fields[2].isdigit() or len(fields[2]) > 10:
            continue
        name = clean_text(fields[0])
        if name and name[0] not in "#+-":  # of NIS: nsswitch.conf(5), "compat"
            users.setdefault(int(fields[2]), name[:_LONGEST_NAME])
    return users


def read_passwd(roots: RootPaths) -> dict[int, str]:
    """Raises a `ReadError`."""
    return parse_passwd(read_regular(roots.root(PASSWD), _LIMIT))
