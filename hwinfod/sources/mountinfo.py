# SPDX-License-Identifier: MIT
"""/proc/PID/mountinfo: what is mounted where. Source: Documentation/filesystems/proc.rst section 3.5."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_ESCAPE = re.compile(rb"\\([0-7]{3})")
_LEAST_BEFORE_DASH = 6


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount. Paths and the source are bytes as the kernel has them: a path may hold anything but NUL, and
    the one who made the directory chose it."""

    identity: int
    device: str
    root: bytes
    mount_point: bytes
    fstype: str
    source: bytes
    is_read_only: bool

    @property
    def is_remote(self) -> bool:
        """Whether somebody else answers for it: a server, or a process. The source of a FUSE mount is whatever
        the one who mounted it wrote."""
        local = self.source.startswith(b"/dev/") or self.fstype == "zfs"
        return self.fstype.startswith("fuse") or not local


def parse_mountinfo(data: bytes) -> list[Mount]:
    """`36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue` for each mount, in the
    order in which they were made: of two on one path the later hides the earlier. Raises ParseError."""
    return [_parse_line(line) for line in data.split(b"\n") if line]


def _parse_line(line: bytes) -> Mount:
    # Fields are separated by one space each and may be empty (a source of ""): split(b" "), not split().
    before, dash, after = line.partition(b" - ")
    fields, tail = before.split(b" "), after.split(b" ")
    if not dash or len(fields) < _LEAST_BEFORE_DASH or len(tail) < 2:
        raise ParseError(f"mountinfo: {line[:60]!r}")
    try:
        identity = int(fields[0])
    except ValueError:
        raise ParseError(f"mountinfo: {line[:60]!r}") from None
    super_options = tail[2] if len(tail) > 2 else b""
    return Mount(
        identity=identity,
        device=fields[2].decode("ascii", "replace"),
        root=unescape(fields[3]),
        mount_point=unescape(fields[4]),
        fstype=unescape(tail[0]).decode("ascii", "replace"),
        source=unescape(tail[1]),
        # Of the mount, or of the whole file system: what the kernel does to one that is damaged.
        is_read_only=b"ro" in fields[5].split(b",") or b"ro" in super_options.split(b","),
    )


def unescape(field: bytes) -> bytes:
    """Space, tab, newline, backslash and # are written as \\040, \\011, \\012, \\134 and \\043.

    Source: fs/proc_namespace.c mangle().
    """
    if b"\\" not in field:
        return field
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), field)


def choose_mounts(
    mounts: Iterable[Mount], excluded_types: Collection[str], excluded_paths: Iterable[str]
) -> list[Mount]:
    """One mount for each file system that is not excluded: where its root is mounted rather than a part of it (a
    bind mount, a subvolume), and the shortest path of several. A mount that another hides is none."""
    paths = tuple(os.fsencode(path.rstrip("/")) for path in excluded_paths)
    visible = {mount.mount_point: mount for mount in mounts}
    chosen: dict[str, Mount] = {}
    for mount in sorted(visible.values(), key=lambda mount: (mount.root != b"/", len(mount.mount_point))):
        point = mount.mount_point
        is_excluded = any(point == path or point.startswith(path + b"/") for path in paths)
        if mount.fstype not in excluded_types and not is_excluded:
            chosen.setdefault(mount.device, mount)
    return sorted(chosen.values(), key=lambda mount: mount.mount_point)
