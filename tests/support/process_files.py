# SPDX-License-Identifier: MIT
"""A /proc and a /sys made of files, for processes and cgroups that come and go."""

from __future__ import annotations

import shutil
from pathlib import Path

from hwinfod.sources.files import Roots


class Host:
    """A /proc and a /sys in which processes and cgroups come and go."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.roots = Roots(procfs=str(path / "proc"), sysfs=str(path / "sys"))
        (path / "sys/fs/cgroup").mkdir(parents=True)

    def run(self, pid: int, cgroup: str, *, start: int = 100, name: str = "train", uid: int = 1000, flags: int = 0):
        directory = self.path / "proc" / str(pid)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "stat").write_text(f"{pid} ({name}) S 1 0 0 0 -1 {flags}{' 0' * 12} {start} 0\n")
        (directory / "status").write_text(f"Name:\t{name}\nUid:\t7\t{uid}\t7\t7\n")
        (directory / "cgroup").write_text(f"0::{cgroup}\n")
        self.cgroup(cgroup).mkdir(parents=True, exist_ok=True)

    def cgroup(self, path: str) -> Path:
        return self.path / f"sys/fs/cgroup{path}"

    def end(self, pid: int) -> None:
        shutil.rmtree(self.path / "proc" / str(pid))
