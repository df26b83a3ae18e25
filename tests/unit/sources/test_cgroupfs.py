# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from hwinfod.sources.cgroupfs import directory_of, identity_of
from hwinfod.sources.files import Roots
from hwinfod.sources.process import CgroupLine


def roots_of(tmp_path: Path) -> Roots:
    return Roots(sysfs=str(tmp_path))


def test_unified(tmp_path: Path) -> None:
    directory = tmp_path / "fs/cgroup/system.slice"
    directory.mkdir(parents=True)
    assert identity_of(roots_of(tmp_path), CgroupLine(0, "", "/system.slice")) == directory.stat().st_ino


def test_hybrid_and_v1(tmp_path: Path) -> None:
    for place in ("unified/a", "cpu,cpuacct/a", "systemd/a"):
        (tmp_path / "fs/cgroup" / place).mkdir(parents=True)
    base = f"{tmp_path}/fs/cgroup"
    roots = roots_of(tmp_path)
    assert directory_of(roots, CgroupLine(0, "", "/a")) == f"{base}/unified/a"
    assert directory_of(roots, CgroupLine(4, "cpu,cpuacct", "/a")) == f"{base}/cpu,cpuacct/a"
    assert directory_of(roots, CgroupLine(1, "name=systemd", "/a")) == f"{base}/systemd/a"
    inodes = {identity_of(roots, CgroupLine(n, c, "/a")) for n, c in ((0, ""), (4, "cpu,cpuacct"), (1, "name=systemd"))}
    assert len(inodes) == 3
    assert 0 not in inodes


@pytest.mark.parametrize("path", ["/gone", "/..", "/../system.slice", "/a/../../../..", "/x\0y", "/\udcff"])
def test_out_of_reach(tmp_path: Path, path: str) -> None:
    (tmp_path / "fs/cgroup").mkdir(parents=True)
    assert identity_of(roots_of(tmp_path), CgroupLine(0, "", path)) == 0
