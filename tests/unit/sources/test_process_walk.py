# SPDX-License-Identifier: MIT
"""Walking the descriptors of all processes: bounded steps, no needless looks, blindness, the kernel's own /proc."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from hwinfod.errors import Denied, Gone
from hwinfod.sources import process_walk
from hwinfod.sources.files import Roots
from hwinfod.sources.process_walk import OpenFiles, ProcessWalk, list_open_files
from tests.unit.core.builders import FakeClock


class Machine:
    """A /proc whose processes have descriptors, counted as Linux 6.2 does where `tells` is set."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.proc = path / "proc"
        (self.proc / "self/fd").mkdir(parents=True)
        (self.proc / "self/fd/0").touch()
        self.roots = Roots(str(self.proc), str(path / "sys"))
        self.clock = FakeClock()
        self.tells = True
        self.listed: list[int] = []
        self.denied: set[int] = set()
        monkeypatch.setattr(
            process_walk, "os", SimpleNamespace(listdir=os.listdir, readlink=os.readlink, stat=self.stat)
        )
        monkeypatch.setattr(process_walk, "list_open_files", self.list)

    def stat(self, path: str) -> SimpleNamespace:
        return SimpleNamespace(st_ino=os.stat(path).st_ino, st_size=len(os.listdir(path)) if self.tells else 0)

    def list(self, roots, pid, is_wanted):
        self.listed.append(pid)
        if pid in self.denied:
            raise Denied("fd", 13)
        return list_open_files(roots, pid, is_wanted)

    def open(self, pid: int, *targets: str, start: int = 100) -> None:
        directory = self.proc / str(pid) / "fd"
        directory.mkdir(parents=True, exist_ok=True)
        for old in directory.iterdir():
            old.unlink()
        for number, target in enumerate(targets):
            (directory / str(number)).symlink_to(target)
        (self.proc / str(pid) / "stat").write_text(f"{pid} (x) S 1 0 0 0 -1 0{' 0' * 12} {start} 0\n")

    def walk(self, walk: ProcessWalk) -> list[OpenFiles]:
        found: list[OpenFiles] = []
        self.listed = []
        walk.begin(found.append)
        assert walk.work(1.0, lambda: 0.0)
        return found


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def wanted(target: str) -> bool:
    return target.startswith("/dev/nvidia")


def test_processes_are_found_by_what_they_have_open(machine: Machine) -> None:
    machine.open(20, "/dev/null", "/dev/nvidia0", start=7)
    machine.open(30, "/dev/null")
    assert machine.walk(ProcessWalk(machine.roots, machine.clock, wanted)) == [
        OpenFiles(20, 7, (("1", "/dev/nvidia0"),))
    ]


def test_who_has_none_is_left_alone_for_a_while(machine: Machine) -> None:
    machine.open(20, "/dev/null")
    machine.open(30, "/dev/nvidia0")
    walk = ProcessWalk(machine.roots, machine.clock, wanted)
    machine.walk(walk)
    machine.walk(walk)
    assert machine.listed == [30]
    machine.clock.advance(61)
    machine.walk(walk)
    assert machine.listed == [20, 30]


def test_not_all_are_looked_into_again_at_once(machine: Machine) -> None:
    for pid in range(64, 192):
        machine.open(pid, "/dev/null")
    walk = ProcessWalk(machine.roots, machine.clock, wanted, recheck_seconds=600)
    machine.walk(walk)
    again = []
    for _ in range(40):
        machine.clock.advance(15)
        machine.walk(walk)
        again.append(len(machine.listed))
    assert sum(again) >= 128
    assert max(again) <= 128 // 8


def test_who_opens_something_is_looked_at_again(machine: Machine) -> None:
    walk = ProcessWalk(machine.roots, machine.clock, wanted)
    machine.open(20, "/dev/null")
    assert machine.walk(walk) == []
    machine.open(20, "/dev/null", "/dev/nvidia0")
    assert len(machine.walk(walk)) == 1


def test_what_was_found_may_be_kept_while_the_number_of_descriptors_is_the_same(machine: Machine) -> None:
    walk = ProcessWalk(machine.roots, machine.clock, wanted, keep_seconds=15)
    machine.open(20, "/dev/nvidia0")
    first = machine.walk(walk)
    assert machine.walk(walk) == first
    assert machine.listed == []
    machine.open(20, "/dev/nvidia0", "/dev/nvidia1")
    assert len(machine.walk(walk)[0].files) == 2
    machine.clock.advance(16)
    machine.walk(walk)
    assert machine.listed == [20]


def test_nothing_is_kept_where_the_kernel_does_not_tell_the_number(machine: Machine) -> None:
    machine.tells = False
    walk = ProcessWalk(machine.roots, machine.clock, wanted, keep_seconds=15)
    machine.open(20, "/dev/nvidia0")
    machine.open(30, "/dev/null")
    machine.walk(walk)
    machine.walk(walk)
    assert machine.listed == [20]
    machine.clock.advance(16)
    machine.walk(walk)
    assert machine.listed == [20, 30]


def test_another_process_of_the_number_is_looked_into(machine: Machine) -> None:
    walk = ProcessWalk(machine.roots, machine.clock, wanted, keep_seconds=60)
    machine.open(20, "/dev/nvidia0")
    machine.walk(walk)
    (machine.proc / "20").rename(machine.proc / "gone")
    machine.open(20, "/dev/null")
    assert machine.walk(walk) == []


def test_a_pass_goes_on_where_its_time_ended(machine: Machine) -> None:
    for pid in range(1, 11):
        machine.open(pid, "/dev/nvidia0")
    found: list[OpenFiles] = []
    walk = ProcessWalk(machine.roots, machine.clock, wanted)
    walk.begin(found.append)
    ticks = itertools.count()
    steps = 1
    while not walk.work(3, lambda: next(ticks)):
        assert walk.is_running
        steps += 1
    assert ([one.pid for one in found], steps) == (list(range(1, 11)), 4)
    assert not walk.work(3, lambda: next(ticks))


def test_who_may_not_be_looked_into_is_counted_in_each_pass(machine: Machine) -> None:
    machine.open(20, "/dev/nvidia0")
    machine.open(30, "/dev/nvidia0")
    machine.denied = {20}
    walk = ProcessWalk(machine.roots, machine.clock, wanted)
    for _ in range(2):
        assert [one.pid for one in machine.walk(walk)] == [30]
        assert walk.blind == 1


def test_who_ends_between_two_steps_costs_himself(machine: Machine) -> None:
    machine.open(20, "/dev/nvidia0")
    (machine.proc / "20/stat").unlink()
    machine.open(30, "/dev/nvidia0")
    (machine.proc / "40").mkdir()
    assert [one.pid for one in machine.walk(ProcessWalk(machine.roots, machine.clock, wanted))] == [30]


def test_the_kernels_own_descriptors() -> None:
    with open(os.devnull, "rb") as file:
        found = list_open_files(Roots(), os.getpid(), lambda target: target == os.devnull)
        assert (str(file.fileno()), os.devnull) in found
    with pytest.raises(Gone):
        list_open_files(Roots(), 1 << 30, lambda _: True)


@pytest.mark.parametrize("limit", [1024, 1 << 20])
def test_directories_are_held_while_their_processes_live(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_walk, "getrlimit", lambda _: (limit, limit))
    most = int(limit > 1024)

    def held(pid: int) -> int:
        links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
        return sum(os.readlink(link) == f"/proc/{pid}/fd" for link in links if os.path.lexists(link))

    def find() -> dict[int, int]:
        found: list[OpenFiles] = []
        walk.begin(found.append)
        assert walk.work(1.0, lambda: 0.0)
        return {one.pid: len(one.files) for one in found}

    clock = FakeClock()
    walk = ProcessWalk(Roots(), clock, lambda target: target == "/dev/full", keep_seconds=60)
    with subprocess.Popen(["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for opened in range(3):
            child.stdin.write(b"exec %d</dev/full; echo\n" % (opened + 3))
            child.stdin.flush()
            child.stdout.readline()
            assert find()[child.pid] == opened + 1, "its directory tells that it opened one more"
            assert held(child.pid) == most
        child.kill()
    assert child.pid not in find()
    assert held(child.pid) == 0
    assert held(os.getpid()) == most
    walk.close()
    assert held(os.getpid()) == 0
