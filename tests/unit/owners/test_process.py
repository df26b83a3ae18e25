# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hwinfod.errors import Denied, Gone
from hwinfod.owners import process as owners_process
from hwinfod.owners.identity import KERNEL_THREAD, Owner
from hwinfod.owners.process import Cgroup, Processes
from hwinfod.sources.files import Roots

CONTAINER = "1f" * 32
SCOPE = f"/system.slice/docker-{CONTAINER}.scope"
EXITING, KTHREAD = 0x4, 0x200000


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


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_process_is_found_with_its_owner(host: Host) -> None:
    host.run(7, SCOPE)
    process = Processes(host.roots).look(7, 100)
    assert (process.name, process.uid) == ("train", 1000)
    assert process.owner == Owner("container", "docker", CONTAINER)
    assert process.cgroup == Cgroup(host.cgroup(SCOPE).stat().st_ino, SCOPE)


def test_an_unknown_start_time_is_whoever_has_the_number(host: Host) -> None:
    host.run(7, SCOPE, start=3)
    assert Processes(host.roots).look(7).start_time_ticks == 3


def test_another_process_with_the_number_is_not_mistaken(host: Host) -> None:
    processes = Processes(host.roots)
    host.run(7, SCOPE, start=100)
    processes.look(7, 100)
    host.end(7)
    host.run(7, "/system.slice/sshd.service", start=200)
    assert processes.look(7, 100).owner.container_id == CONTAINER  # the dead one, as it was
    assert processes.look(7, 200).owner.unit == "sshd.service"
    with pytest.raises(Gone):
        processes.look(7, 300)


def test_an_ended_process_is_remembered(host: Host) -> None:
    processes = Processes(host.roots)
    host.run(7, SCOPE)
    before = processes.look(7, 100)
    host.end(7)
    assert processes.look(7, 100) == before
    with pytest.raises(Gone):
        processes.look(7)  # nobody has the number now
    with pytest.raises(Gone):
        processes.look(8, 100)


def test_a_process_that_moves_is_followed(host: Host) -> None:
    processes = Processes(host.roots)
    host.run(7, "/user.slice/user-1000.slice/session-3.scope")
    assert processes.look(7).owner.kind == "session"
    host.run(7, "/system.slice/slurmstepd.scope/job_5/step_extern/user/task_0")
    assert processes.look(7).owner.job_id == "5"


def test_a_process_that_becomes_another_program_is_read_anew(host: Host) -> None:
    processes = Processes(host.roots)
    host.run(7, SCOPE, name="sudo", uid=0)
    processes.look(7)
    host.run(7, SCOPE, name="python3", uid=1000)
    assert processes.look(7)[2:4] == ("python3", 1000)


def test_an_exiting_process_keeps_its_cgroup(host: Host) -> None:
    processes = Processes(host.roots)
    host.run(7, SCOPE)
    processes.look(7)
    host.run(7, "/", flags=EXITING)
    assert processes.look(7, 100).owner.container_id == CONTAINER


def test_who_is_in_no_announced_cgroup_is_his_users(host: Host) -> None:
    host.run(7, "/", uid=1001)
    host.run(8, "/system.slice/x.service", uid=33)
    processes = Processes(host.roots)
    assert processes.look(7).owner == Owner("user", user="1001")
    assert processes.look(8).owner.user is None


def test_kernel_threads(host: Host) -> None:
    host.run(2, "/", flags=KTHREAD)
    host.run(3, "/", uid=0)
    processes = Processes(host.roots)
    assert processes.look(2).owner == KERNEL_THREAD
    assert processes.look(3).owner == Owner("user", user="0")


def test_a_cgroup_is_remembered_after_its_end(host: Host) -> None:
    processes = Processes(host.roots)
    host.run(7, SCOPE)
    first = processes.look(7).cgroup
    host.end(7)
    keeper = host.cgroup("/keeper")  # holds the inode number, so that the next directory has another
    host.cgroup(SCOPE).rename(keeper)
    host.run(8, SCOPE)
    second = processes.look(8).cgroup
    assert first.path == second.path
    assert first.inode != second.inode
    for cgroup in (first, second, Cgroup(0, SCOPE)):
        owner = processes.owner_of_cgroup(cgroup)
        assert owner is not None
        assert owner.container_id == CONTAINER
    assert processes.owner_of_cgroup(Cgroup(1, SCOPE)) is None
    host.run(9, SCOPE)
    host.cgroup(SCOPE).rmdir()
    assert processes.look(9).cgroup == Cgroup(0, SCOPE)  # removed while it was looked at
    assert processes.owner_of_cgroup(Cgroup(0, SCOPE)) is not None


def test_memory_is_bounded(host: Host) -> None:
    processes = Processes(host.roots, most_processes=2, most_cgroups=2)
    for pid in (1, 2, 3):
        host.run(pid, f"/system.slice/u{pid}.service")
        processes.look(pid)
    for pid in (1, 2, 3):
        host.end(pid)
    with pytest.raises(Gone):
        processes.look(1, 100)
    assert processes.look(3, 100).owner.unit == "u3.service"
    assert processes.owner_of_cgroup(Cgroup(0, "/system.slice/u1.service")) is None


def test_an_unchanged_process_is_described_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    resolve = owners_process.resolve
    monkeypatch.setattr(owners_process, "resolve", lambda *a, **k: calls.append(a) or resolve(*a, **k))
    processes = Processes(host.roots)
    for pid in (7, 8):
        host.run(pid, SCOPE)
    for _ in range(3):
        assert processes.look(7) is processes.look(7)
        processes.look(8)
    assert len(calls) == 1


def test_denied(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """What procfs answers with hidepid=1."""

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    host.run(7, SCOPE)
    processes = Processes(host.roots)
    processes.look(7)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Denied):
        processes.look(7, 100)


def test_real_processes() -> None:
    processes = Processes(Roots())
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = processes.look(child.pid)
    assert (found.pid, found.uid) == (child.pid, os.geteuid())
    child.communicate(b"\n")
    assert processes.look(child.pid, found.start_time_ticks) == found
    assert processes.look(os.getpid()).name
    with pytest.raises(Gone):
        processes.look(child.pid)
