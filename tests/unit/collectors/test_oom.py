# SPDX-License-Identifier: MIT
from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod.collectors.oom import OomKills
from hwinfod.core.event import EventKind
from hwinfod.core.health import State
from tests.support.bench import Bench
from tests.unit.sources.test_oom import CONTEXT_GLOBAL, CONTEXT_MEMCG, KILL_GLOBAL, KILL_MEMCG

FROM_KERNEL, FROM_USER = 4, 12


class Kmsg:
    """A FIFO in the device's place, in packet mode: one write is one read."""

    def __init__(self, directory: Path) -> None:
        path = directory / "root/dev/kmsg"
        path.parent.mkdir(parents=True)
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self._fd, fcntl.F_SETFL, os.O_DIRECT | os.O_NONBLOCK)
        self._sequence = 0

    def log(self, *texts: bytes, syslog: int = FROM_KERNEL) -> None:
        for text in texts:
            self._sequence += 1
            os.write(self._fd, b"%d,%d,%d,-;%s\n" % (syslog, self._sequence, self._sequence * 1000, text))

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def kmsg(tmp_path: Path) -> Iterator[Kmsg]:
    kmsg = Kmsg(tmp_path)
    yield kmsg
    kmsg.close()


@pytest.fixture
def bench(kmsg: Kmsg, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(OomKills, tmp_path)
    bench.run()
    yield bench
    bench.runner.close()


def test_a_victim_of_a_limit_is_named_with_its_cgroup(kmsg: Kmsg, bench: Bench) -> None:
    kmsg.log(b"python3 invoked oom-killer: gfp_mask=0xcc0", CONTEXT_MEMCG, KILL_MEMCG)
    assert bench.run() == {
        "hw_memory_oom_kills_logged_total{limit=host}": 0,
        "hw_memory_oom_kills_logged_total{limit=cgroup}": 1,
    }
    (event,) = bench.events()
    assert event.kind is EventKind.OOM_KILL
    assert event.text == "a process was killed for want of memory in a cgroup, it held 8.00 GiB"
    assert event.private >= {"pid", "task", "uid", "cgroup", "limited_cgroup"}, "whose work it was is not everyone's"
    assert event.attributes["uid"] == "1000"
    assert event.attributes["cgroup"].endswith("/cri-containerd-ab.scope")
    assert [kill.cgroup for kill in bench.host.kills.current] == [event.attributes["cgroup"]]
    assert event.attributes["resident_bytes"] == str((8388608 + 4096 + 1024) * 1024)


def test_the_lines_of_one_kill_may_come_in_two_ticks(kmsg: Kmsg, bench: Bench) -> None:
    kmsg.log(CONTEXT_MEMCG)
    bench.run()
    kmsg.log(KILL_MEMCG)
    bench.run()
    assert bench.events()[0].attributes["constraint"] == "CONSTRAINT_MEMCG"


def test_a_kill_without_its_own_context(kmsg: Kmsg, bench: Bench) -> None:
    kmsg.log(CONTEXT_GLOBAL, KILL_GLOBAL)
    values = bench.run()
    assert values["hw_memory_oom_kills_logged_total{limit=host}"] == 1
    (event,) = bench.events()
    assert "in the host" in event.text
    assert "cgroup" not in event.attributes, "the context named another process"


def test_a_group_is_killed_together_and_each_is_an_event(kmsg: Kmsg, bench: Bench) -> None:
    kmsg.log(CONTEXT_MEMCG, KILL_MEMCG, KILL_MEMCG.replace(b"4242", b"4243"))
    bench.run()
    assert [event.attributes["pid"] for event in bench.events()] == ["4242", "4243"]


def test_a_process_cannot_forge_a_kill(kmsg: Kmsg, bench: Bench) -> None:
    kmsg.log(CONTEXT_MEMCG, KILL_MEMCG, syslog=FROM_USER)
    assert set(bench.run().values()) == {0}
    assert bench.events() == []


def test_absent_where_there_is_no_log(tmp_path: Path) -> None:
    assert Bench(OomKills, tmp_path).attempt() is State.ABSENT


def test_absent_where_the_log_may_not_be_read(kmsg: Kmsg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = os.open

    def refuse(path: str, flags: int, *arguments: int) -> int:
        if str(path).endswith("kmsg"):
            raise PermissionError(1, "Operation not permitted")
        return real_open(path, flags, *arguments)

    monkeypatch.setattr(os, "open", refuse)
    bench = Bench(OomKills, tmp_path)
    assert bench.attempt() is State.ABSENT
    assert "CAP_SYSLOG" in bench.reason
