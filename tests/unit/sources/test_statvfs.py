# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hwinfod.errors import Gone, NotProvided, ReadError
from hwinfod.sources.statvfs import Hung, StatvfsProbe, TooManyHung
from tests.support.hung_mount import HungMount

SOON = 0.05
PATIENCE = 60.0


class Mounts:
    """statvfs over mounts that hang until they are released."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.threads: dict[bytes, threading.Thread] = {}
        self._holds: dict[bytes, threading.Event] = {}
        self._begun: dict[bytes, threading.Event] = {}

    def hang(self, path: bytes) -> None:
        self._holds[path] = threading.Event()
        self._begun[path] = threading.Event()

    def release(self, path: bytes) -> None:
        self._holds[path].set()

    def __call__(self, path: bytes) -> os.statvfs_result:
        self.asked.append(path)
        self.threads[path] = threading.current_thread()
        if path in self._holds:
            self._begun[path].set()
            self._holds[path].wait(PATIENCE)
        return os.statvfs("/")

    def wait_until_asked(self, path: bytes) -> None:
        assert self._begun[path].wait(PATIENCE)

    def release_all(self) -> None:
        for hold in self._holds.values():
            hold.set()


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    mounts = Mounts()
    yield mounts
    mounts.release_all()


def expect_hung(probe: StatvfsProbe, path: bytes) -> Hung:
    """Only what is known to hang is asked with little patience, so that a slow machine fails no test."""
    probe.timeout_seconds = SOON
    with pytest.raises(Hung) as caught:
        probe.read(path)
    probe.timeout_seconds = PATIENCE
    return caught.value


def wait_until_returned(probe: StatvfsProbe, path: bytes) -> None:
    released = threading.Event()
    for _ in range(int(PATIENCE * 100)):
        if path not in probe.hung():
            return
        released.wait(0.01)
    pytest.fail(f"{path!r} is still marked as hung")


def test_usage_agrees_with_psutil(tmp_path: Path) -> None:
    probe = StatvfsProbe()
    usage = probe.read(os.fsencode(tmp_path))
    truth = psutil.disk_usage(str(tmp_path))
    assert usage.limit_bytes == truth.total
    assert abs(usage.limit_bytes - usage.free_bytes - truth.used) < 256 << 20
    assert usage.inodes >= usage.inodes_free
    assert not usage.is_read_only
    probe.close()


def test_a_hung_mount_is_asked_once_and_costs_the_others_nothing(mounts: Mounts) -> None:
    probe = StatvfsProbe(PATIENCE, call=mounts)
    mounts.hang(b"/nfs")
    for _ in range(5):
        expect_hung(probe, b"/nfs")
        assert probe.read(b"/").limit_bytes > 0
    mounts.wait_until_asked(b"/nfs")
    assert mounts.asked.count(b"/nfs") == 1
    assert probe.hung() == {b"/nfs"}
    assert mounts.threads[b"/nfs"].is_alive()
    assert mounts.threads[b"/"] is not mounts.threads[b"/nfs"]
    probe.close()


def test_it_is_unmarked_when_it_comes_back_and_its_thread_ends(mounts: Mounts) -> None:
    probe = StatvfsProbe(PATIENCE, call=mounts)
    mounts.hang(b"/nfs")
    expect_hung(probe, b"/nfs")
    mounts.wait_until_asked(b"/nfs")
    abandoned = mounts.threads[b"/nfs"]
    mounts.release(b"/nfs")
    wait_until_returned(probe, b"/nfs")
    abandoned.join(PATIENCE)
    assert not abandoned.is_alive()
    assert probe.read(b"/nfs").limit_bytes > 0
    assert mounts.asked.count(b"/nfs") == 2
    probe.close()


def test_at_most_so_many_calls_hang_at_once(mounts: Mounts) -> None:
    probe = StatvfsProbe(PATIENCE, limit=2, call=mounts)
    for path in (b"/a", b"/b", b"/c"):
        mounts.hang(path)
    for path in (b"/a", b"/b"):
        expect_hung(probe, path)
        mounts.wait_until_asked(path)
    with pytest.raises(TooManyHung, match="'/c' is not asked"):
        probe.read(b"/c")
    assert mounts.asked == [b"/a", b"/b"]
    mounts.release(b"/a")
    wait_until_returned(probe, b"/a")
    assert probe.read(b"/").limit_bytes > 0
    probe.close()


def test_remote_file_systems_take_half_of_the_limit_at_most(mounts: Mounts) -> None:
    probe = StatvfsProbe(PATIENCE, limit=2, call=mounts)
    mounts.hang(b"/nfs1")
    expect_hung(probe, b"/nfs1")
    with pytest.raises(TooManyHung):
        probe.read(b"/nfs2", is_remote=True)
    assert probe.read(b"/", is_remote=False).limit_bytes > 0
    probe.close()


@pytest.mark.tier("fuse")
def test_a_file_system_that_really_hangs(tmp_path: Path) -> None:
    """A FUSE server that does not answer: the thread sleeps in the kernel, and nothing here waits for it."""
    path = os.fsencode(tmp_path)
    probe = StatvfsProbe(PATIENCE)
    with HungMount.over(tmp_path) as mount:
        expect_hung(probe, path)
        mount.wait_for_caller()
        expect_hung(probe, path)
        assert mount.callers == 1
        mount.release()
        wait_until_returned(probe, path)
        with pytest.raises(ReadError, match="Input/output error"):
            probe.read(path)
    assert probe.read(path).limit_bytes > 0
    probe.close()


def test_since_when_it_hangs_stays(mounts: Mounts) -> None:
    probe = StatvfsProbe(PATIENCE, call=mounts)
    mounts.hang(b"/nfs")
    assert expect_hung(probe, b"/nfs").since == expect_hung(probe, b"/nfs").since
    probe.close()


def test_errors_of_one_path_are_its_own(tmp_path: Path) -> None:
    probe = StatvfsProbe()
    with pytest.raises(Gone):
        probe.read(os.fsencode(tmp_path / "unmounted"))
    with pytest.raises(NotProvided):
        probe.read(b"/a\0b")
    assert probe.read(b"/").limit_bytes > 0
    probe.close()
