# SPDX-License-Identifier: MIT
"""Where the cgroup file systems are, and which cgroup a path names today.

Source: Documentation/admin-guide/cgroup-v2.rst; the mount points are systemd's, which every distribution has
taken over: /sys/fs/cgroup (v2), /sys/fs/cgroup/unified beside v1 (hybrid), /sys/fs/cgroup/<controllers> (v1).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hwinfod.sources.process import CgroupLine

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths


def directory_of(roots: RootPaths, line: CgroupLine) -> str:
    """The directory of a cgroup, as it would be if it is in reach: a path with ".." is not."""
    base = roots.sys("fs", "cgroup")
    if line.controllers:
        return f"{base}/{line.controllers.removeprefix('name=')}{line.path}"
    unified = f"{base}/unified"
    return (unified if os.path.isdir(unified) else base) + line.path


def identity_of(roots: RootPaths, line: CgroupLine) -> int:
    """The inode number of a cgroup's directory, which v2 calls the cgroup's id: another cgroup made under the
    same path later has another one. 0 where the directory is gone, hidden, or in another cgroup namespace."""
    if "/../" in line.path + "/" or "\0" in line.path:
        return 0
    try:
        return os.stat(directory_of(roots, line)).st_ino
    except OSError:
        return 0
