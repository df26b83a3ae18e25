# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hwinfod.collectors import filesystems as module
from hwinfod.collectors.filesystems import EXCLUDED_PATHS, FULL, NO_ANSWER, Filesystems
from hwinfod.core.check import evaluate
from hwinfod.core.event import EventKind
from hwinfod.core.health import State
from hwinfod.errors import Gone
from hwinfod.sources.statvfs import Hung, Usage
from tests.support.bench import Bench
from tests.support.hung_mount import HungMount
from tests.support.sysfs import put

NORMAL = Usage(1000, 400, 300, 100, 75, is_read_only=False)
NO_INODES = Usage(1000, 400, 300, 0, 0, is_read_only=False)


class Answers:
    """What each path says, in the probe's place."""

    def __init__(self, rootfs: Path) -> None:
        self._rootfs = os.fsencode(rootfs)
        self.by_path: dict[bytes, Usage | Exception] = {}
        self.remote: set[bytes] = set()
        self.closed = False

    def read(self, path: bytes, *, is_remote: bool) -> Usage:
        assert path.startswith(self._rootfs)
        path = b"/" + path[len(self._rootfs) :].lstrip(b"/")
        if is_remote:
            self.remote.add(path)
        answer = self.by_path.get(path, NORMAL)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Answers:
    answers = Answers(tmp_path / "root")
    monkeypatch.setattr(module, "StatvfsProbe", lambda _timeout: answers)
    return answers


@pytest.fixture
def bench(answers: Answers, tmp_path: Path) -> Bench:
    show(tmp_path, "8:1 / / rw - ext4 /dev/sda1 rw", "0:40 / /home rw - nfs4 filer:/home rw")
    bench = Bench(Filesystems, tmp_path)
    bench.host.runners = {"filesystems": bench.runner}
    return bench


def show(directory: Path, *mounts: str) -> None:
    """Device, root, path, options and what stands behind the dash."""
    lines = [f"{number} 1 {mount}" for number, mount in enumerate(mounts, 2)]
    put(directory / "proc/1", {"mountinfo": "\n".join(lines)})


ROOT = "{device=/dev/sda1,fstype=ext4,mountpoint=/}"
HOME = "{device=filer:/home,fstype=nfs4,mountpoint=/home}"


def test_space_and_inodes(bench: Bench, answers: Answers) -> None:
    answers.by_path[b"/home"] = NO_INODES
    values = bench.run()
    assert {name: value for name, value in values.items() if name.endswith(ROOT)} == {
        f"hw_filesystem_limit_bytes{ROOT}": 1000,
        f"hw_filesystem_usage_bytes{ROOT}": 600,
        f"hw_filesystem_available_bytes{ROOT}": 300,
        f"hw_filesystem_utilization_ratio{ROOT}": round(600 / 900, 4),
        f"hw_filesystem_inodes_limit{ROOT}": 100,
        f"hw_filesystem_inodes_usage{ROOT}": 25,
        f"hw_filesystem_inodes_utilization_ratio{ROOT}": 0.25,
        f"hw_filesystem_read_only{ROOT}": 0,
        f"hw_filesystem_hung{ROOT}": 0,
    }
    assert not any("inodes" in name and name.endswith(HOME) for name in values)
    assert answers.remote == {b"/home"}


def test_one_that_hangs_is_told_and_costs_itself(bench: Bench, answers: Answers) -> None:
    bench.run()
    answers.by_path[b"/home"] = Hung(b"/home", 0.0)
    for _ in range(2):
        values = bench.run()
    assert {name for name in values if name.endswith(HOME)} == {
        f"hw_filesystem_read_only{HOME}",
        f"hw_filesystem_hung{HOME}",
    }
    assert values[f"hw_filesystem_hung{HOME}"] == 1
    assert values[f"hw_filesystem_usage_bytes{ROOT}"] == 600
    (finding,) = evaluate(bench.host, [NO_ANSWER])
    assert finding.text == "/home (nfs4, filer:/home) does not answer"
    del answers.by_path[b"/home"]
    assert bench.run()[f"hw_filesystem_usage_bytes{HOME}"] == 600
    assert [event.kind for event in bench.events()] == [EventKind.FILESYSTEM_HUNG, EventKind.FILESYSTEM_RECOVERED]


def test_one_that_is_unmounted_while_it_hangs_did_not_recover(tmp_path: Path, bench: Bench, answers: Answers) -> None:
    answers.by_path[b"/home"] = Hung(b"/home", 0.0)
    bench.run()
    show(tmp_path, "8:1 / / rw - ext4 /dev/sda1 rw")
    assert not any(HOME in name for name in bench.run())
    assert [event.kind for event in bench.events()] == [EventKind.FILESYSTEM_HUNG]


def test_one_that_refuses_costs_itself(bench: Bench, answers: Answers) -> None:
    answers.by_path[b"/home"] = Gone("/home", 2)
    assert not any(HOME in name for name in bench.run())
    assert list(bench.skipped) == ["/home"]


def test_mounts_come_and_go_and_change(tmp_path: Path, bench: Bench) -> None:
    bench.run()
    show(tmp_path, "8:1 / / rw - ext4 /dev/sda1 rw", "8:2 / /home rw - xfs /dev/sdb1 rw")
    values = bench.run()
    assert not any(HOME in name for name in values)
    assert values["hw_filesystem_limit_bytes{device=/dev/sdb1,fstype=xfs,mountpoint=/home}"] == 1000


def test_one_that_the_kernel_made_read_only(tmp_path: Path, bench: Bench) -> None:
    bench.run()
    show(tmp_path, "8:1 / / rw - ext4 /dev/sda1 ro,errors=remount-ro")
    assert bench.run()[f"hw_filesystem_read_only{ROOT}"] == 1


def test_a_full_one_is_wrong(bench: Bench, answers: Answers) -> None:
    answers.by_path[b"/"] = Usage(1000, 90, 90, 100, 75, is_read_only=False)
    bench.run()
    assert [finding.text for finding in evaluate(bench.host, [FULL])] == ["/ is 91% full"]


def test_a_tenants_path_is_a_printable_label(tmp_path: Path, bench: Bench, answers: Answers) -> None:
    show(tmp_path, r"8:1 / /mnt/a\012b\040" "\x1b[31m rw - ext4 /dev/sda1 rw")
    (name,) = [name for name in bench.run() if name.startswith("hw_filesystem_limit_bytes")]
    assert name.isprintable()
    assert "/mnt/a b  [31m" in name


def test_more_mounts_than_anyone_has_are_cut(tmp_path: Path, bench: Bench) -> None:
    show(tmp_path, *(f"8:{number} / /m{number} rw - ext4 /dev/x{number} rw" for number in range(300)))
    values = bench.run()
    assert sum(name.startswith("hw_filesystem_limit_bytes") for name in values) == 256
    assert bench.skipped == {"file systems": "44 more than 256 are mounted"}


def test_what_is_left_out_is_a_setting(tmp_path: Path, answers: Answers) -> None:
    show(tmp_path, "8:1 / / rw - ext4 /dev/sda1 rw", "8:2 / /scratch/1 rw - xfs /dev/sdb rw")
    bench = Bench(Filesystems, tmp_path, {EXCLUDED_PATHS: ("/scratch",)})
    assert not any("/scratch" in name for name in bench.run())


def test_absent_without_proc_and_failing_on_garbage(tmp_path: Path, answers: Answers, bench: Bench) -> None:
    bench.run()
    put(tmp_path / "proc/1", {"mountinfo": "nonsense"})
    assert bench.attempt() is State.FAILING
    assert Bench(Filesystems, tmp_path / "none").attempt() is State.ABSENT


def test_closing_lets_the_probe_go(bench: Bench, answers: Answers) -> None:
    bench.run()
    bench.runner.close()
    assert answers.closed


@pytest.fixture
def hung_mount(tmp_path: Path) -> Iterator[HungMount]:
    directory = tmp_path / "root/dead"
    directory.mkdir(parents=True)
    with HungMount.over(directory) as mount:
        yield mount


@pytest.mark.tier("fuse")
def test_a_mount_that_really_hangs(tmp_path: Path, hung_mount: HungMount) -> None:
    show(tmp_path, "8:1 / / rw - ext4 /dev/sda1 rw", "0:99 / /dead rw - fuse.dead dead rw")
    bench = Bench(Filesystems, tmp_path)
    values = bench.run()
    hung_mount.wait_for_caller()
    assert values["hw_filesystem_hung{device=dead,fstype=fuse.dead,mountpoint=/dead}"] == 1
    assert values[f"hw_filesystem_hung{ROOT}"] == 0
    bench.run()
    assert hung_mount.callers == 1
    bench.runner.close()


def test_this_machine_agrees_with_psutil() -> None:
    values = Bench(Filesystems).run()
    names = [name for name in values if name.startswith("hw_filesystem_limit_bytes")]
    assert names
    for name in names:
        path = name.rpartition("mountpoint=")[2].rstrip("}")
        assert values[name] == psutil.disk_usage(path).total


def test_mounts_are_the_first_processes_and_ours_where_it_is_hidden(answers: Answers, tmp_path: Path) -> None:
    put(tmp_path / "proc/self", {"mountinfo": "1 0 8:1 / / ro - ext4 /dev/sda1 rw\n"})
    assert Bench(Filesystems, tmp_path).run()[f"hw_filesystem_read_only{ROOT}"] == 1
    show(tmp_path, "8:1 / / rw - ext4 /dev/sda1 rw")
    assert Bench(Filesystems, tmp_path).run()[f"hw_filesystem_read_only{ROOT}"] == 0
