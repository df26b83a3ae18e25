# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hwinfod.errors import Denied, Gone
from hwinfod.owners import process as owners_process
from hwinfod.owners.identity import KERNEL_THREAD, Owner, host_part
from hwinfod.owners.naming import id_of
from hwinfod.owners.process import Cgroup, Processes
from hwinfod.sources.files import Roots
from hwinfod.sources.process_walk import list_open_files
from tests.support.process_files import Host

CONTAINER = "1f" * 32
SCOPE = f"/system.slice/docker-{CONTAINER}.scope"
EXITING, KTHREAD = 0x4, 0x200000


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


def test_a_process_that_is_asked_for_again_and_again_is_followed_at_once(host: Host) -> None:
    processes = Processes(host.roots)
    host.run(7, "/user.slice/user-1000.slice/session-3.scope")
    for _ in range(3):
        assert processes.look(7, 100).owner.kind == "session"
    host.run(7, "/system.slice/slurmstepd.scope/job_5/step_extern/user/task_0")
    assert processes.look(7, 100).owner.job_id == "5"


def test_another_program_in_a_known_process_is_seen_within_a_few_looks(host: Host) -> None:
    processes = Processes(host.roots)
    host.run(7, SCOPE, name="sudo", uid=0)
    processes.look(7, 100)
    host.run(7, SCOPE, name="python3", uid=1000)
    seen = [processes.look(7, 100).uid for _ in range(4)]
    assert seen == [0, 0, 0, 1000]


def test_who_is_there_now_is_told_from_who_is_remembered(host: Host) -> None:
    processes = Processes(host.roots)
    host.run(7, SCOPE)
    assert processes.look_alive(7, 100) == processes.look(7, 100)
    host.end(7)
    for _ in range(2):
        with pytest.raises(Gone):
            processes.look_alive(7, 100)
        assert processes.look(7, 100).name == "train"


def test_a_kept_directory_is_not_the_next_process_of_the_number(host: Host) -> None:
    processes = Processes(host.roots)
    host.run(7, SCOPE, start=100)
    processes.look_alive(7, 100)
    host.end(7)
    host.run(7, "/system.slice/sshd.service", start=200)
    with pytest.raises(Gone):
        processes.look_alive(7, 100)
    assert processes.look_alive(7, 200).owner.unit == "sshd.service"


def test_directories_of_processes_are_kept_within_a_bound(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def held() -> int:
        found = list_open_files(Roots(), os.getpid(), lambda target: target.startswith(host.roots.procfs))
        return len(found)

    monkeypatch.setattr(owners_process, "MOST_KEPT", 3)
    processes = Processes(host.roots)
    for pid in range(1, 9):
        host.run(pid, SCOPE)
        processes.look(pid, 100)
    assert held() == 3
    del processes
    assert held() == 0


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


UID = "8d3f1c52-7a61-4b1e-9c0d-5e6f7a8b9c0d"
FORGED = f"/kubepods/burstable/pod{UID}/{CONTAINER}"


def give(host: Host, uid: int, *cgroups: str) -> None:
    """As systemd does with Delegate= and User=."""
    for cgroup in cgroups:
        os.chown(host.cgroup(cgroup), uid, -1)


@pytest.mark.tier("root")
@pytest.mark.parametrize("below", [FORGED, f"/docker/{CONTAINER}", "/slurm/uid_0/job_5", "/lxc.payload.web/docker/x"])
def test_a_user_with_a_delegated_unit_cannot_pass_for_somebody_else(host: Host, below: str) -> None:
    unit = "/system.slice/jupyter-alice.service"
    host.run(7, unit + below, uid=1000)
    host.run(8, below, uid=0)
    made = [place for place in host.cgroup(unit).rglob("*") if place.is_dir()]
    give(host, 1000, unit, *(str(place).removeprefix(str(host.cgroup(""))) for place in made))
    processes = Processes(host.roots)
    forged, real = processes.look(7).owner, processes.look(8).owner
    assert (host_part(forged), real.within) == (Owner("user", user="1000"), None)
    assert id_of(forged) == f"{id_of(real)}@user:1000"
    assert forged._replace(within=None, user=real.user) == real


@pytest.mark.tier("root")
def test_what_the_host_made_is_its_own_word(host: Host) -> None:
    quadlet = f"/system.slice/train.service/libpod-payload-{CONTAINER}"
    for pid, path in {7: quadlet, 8: FORGED, 9: "/machine.slice/systemd-nspawn@web.service/payload/init.scope"}.items():
        host.run(pid, path, uid=100_000)
        give(host, 100_000, path)
    give(host, 100_000, "/machine.slice/systemd-nspawn@web.service/payload")  # it has a user namespace
    processes = Processes(host.roots)
    assert [processes.look(pid).owner.within for pid in (7, 8, 9)] == [None, None, None]


@pytest.mark.tier("root")
def test_a_unit_and_a_user_are_told_by_their_slice(host: Host) -> None:
    manager = "/user.slice/user-1000.slice/user@1000.service"
    host.run(7, f"{manager}/app.slice/x.service")
    host.run(8, f"{manager}/user.slice/docker-{CONTAINER}.scope")
    host.run(9, "/system.slice/jupyter-alice.service/worker")
    give(host, 1000, manager, f"{manager}/user.slice", "/system.slice/jupyter-alice.service")
    processes = Processes(host.roots)
    assert [id_of(processes.look(pid).owner) for pid in (7, 8, 9)] == [
        "unit:1000:x.service",
        f"container:docker:{CONTAINER[:12]}@unit:1000:user@1000.service",
        "unit::jupyter-alice.service",
    ]
