# SPDX-License-Identifier: MIT
"""Where the cgroup file systems are, and which cgroup a path names today.

Source: Documentation/admin-guide/cgroup-v2.rst; the mount points are systemd's, which every distribution has
taken over: /sys/fs/cgroup (v2), /sys/fs/cgroup/unified beside v1 (hybrid), /sys/fs/cgroup/<controllers> (v1).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.sources.files import list_directory, read_optional
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


def delegate_of(roots: RootPaths, line: CgroupLine, above: str) -> int | None:
    """The user to whom a cgroup above that of a line was given, by systemd's Delegate= with User= as a rule: its owner
    where that is not the owner of the hierarchy. None where it is, and where the cgroup cannot be seen."""
    root = directory_of(roots, line._replace(path=""))
    if "/../" in above + "/" or "\0" in above:
        return None
    try:
        owner = os.stat(root + above).st_uid
        return owner if owner != os.stat(root).st_uid else None
    except OSError:
        return None


class Hierarchies(NamedTuple):
    """Where accounting is read. `unified` is the directory of v2 or "", `controllers` what v2 accounts for;
    `legacy` the directory of each controller that v1 has (a controller is in one of both only)."""

    unified: str
    controllers: frozenset[str]
    legacy: dict[str, str]

    def trees(self) -> list[str]:
        """The directories below which cgroups with figures for processor and memory are, each once."""
        legacy = [self.legacy[name] for name in ("cpuacct", "memory") if name in self.legacy]
        unified = [self.unified] if self.unified and (self.controllers & {"cpu", "memory"} or not legacy) else []
        return list(dict.fromkeys([*unified, *legacy]))


def find_hierarchies(roots: RootPaths) -> Hierarchies:
    """All empty where no cgroup file system is mounted."""
    base = roots.sys("fs", "cgroup")
    for unified in (base, f"{base}/unified"):
        controllers = read_optional(f"{unified}/cgroup.controllers")
        if controllers is not None:
            break
    if unified == base and controllers is not None:
        legacy = {}
    else:
        legacy = {
            controller: f"{base}/{name}"
            for name in list_directory(base)
            if name != "unified" and os.path.exists(f"{base}/{name}/cgroup.procs")
            for controller in name.split(",")
        }
    words = (controllers or b"").decode("ascii", "replace").split()
    return Hierarchies("" if controllers is None else unified, frozenset(words), legacy)
