# SPDX-License-Identifier: MIT
"""Against the kernel's own /proc/PID/cgroup: what it writes for names that a tenant may choose."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hwinfod.owners.identity import Owner
from hwinfod.owners.process import Processes
from hwinfod.sources.files import Roots
from tests.support import memory_cgroup

pytestmark = pytest.mark.tier("memcg")

CONTAINER = "1f" * 32
UID = "8d3f1c52-7a61-4b1e-9c0d-5e6f7a8b9c0d"
POD = f"kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/cri-containerd-{CONTAINER}.scope"


@contextmanager
def member(path: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a new cgroup `path` below one of ours."""
    with memory_cgroup.small() as group:
        directories = [group.joinpath(*path.split("/")[: n + 1]) for n in range(path.count("/") + 1)]
        for directory in directories:
            directory.mkdir()
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        try:
            (directories[-1] / "cgroup.procs").write_text(str(process.pid))
            yield process
        finally:
            process.communicate()
            for directory in reversed(directories):
                if directory.exists():
                    directory.rmdir()


@pytest.mark.parametrize("below", ["", "/init", "/\udcff\x1b[2J \N{SNOWMAN}", "/" + "/".join(["d" * 200] * 15)])
def test_a_pod_is_found_whatever_its_tenant_makes_below(below: str) -> None:
    with member(POD + below) as process:
        found = Processes(Roots()).look(process.pid)
        inode = os.stat(_directory(found.cgroup.path)).st_ino
    assert (found.owner.kind, found.owner.pod_uid, found.owner.container_id) == ("pod", UID, CONTAINER)
    assert (found.cgroup.inode, found.conflicts) == (inode, ())


def test_a_machine_is_found_and_remembered() -> None:
    processes = Processes(Roots())
    with member(r"machine.slice/machine-qemu\x2d1\x2dweb.scope") as process:
        found = processes.look(process.pid)
    assert (found.owner.kind, found.owner.runtime, found.owner.container_id) == ("vm", "libvirt", "web")
    assert processes.look(process.pid, found.start_time_ticks) == found
    assert processes.owner_of_cgroup(found.cgroup) == found.owner


def test_what_a_delegate_makes_is_his_claim() -> None:
    with member("jupyter.service/" + POD) as process:
        path = Processes(Roots()).look(process.pid).cgroup.path
        os.chown(_directory(path.partition("/kubepods")[0]), 1000, -1)
        os.chown(_directory(path.rpartition("/")[0].rpartition("/")[0]), 1000, -1)  # kubepods.slice, as he made it
        owner = Processes(Roots()).look(process.pid).owner
    assert (owner.pod_uid, owner.user, owner.within) == (UID, "1000", Owner("user", user="1000"))


def _directory(path: str) -> Path:
    """Where that path is, in whichever hierarchy the group was made."""
    places = [Path(f"/sys/fs/cgroup/memory{path}"), Path(f"/sys/fs/cgroup{path}")]
    return next(place for place in places if place.is_dir())
