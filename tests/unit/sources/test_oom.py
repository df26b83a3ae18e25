# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.oom import MARKS, OomContext, OomKill, parse_oom

POD = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1f.slice"
CONTEXT_MEMCG = (
    b"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=cri-containerd-ab.scope,mems_allowed=0-1,"
    b"oom_memcg=%s,task_memcg=%s/cri-containerd-ab.scope,task=python3,pid=4242,uid=1000" % ((POD.encode(),) * 2)
)
CONTEXT_GLOBAL = (
    b"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
    b"task_memcg=/user.slice,task=stress,pid=77,uid=0"
)
KILL_MEMCG = (
    b"Memory cgroup out of memory: Killed process 4242 (python3) total-vm:9437184kB, anon-rss:8388608kB, "
    b"file-rss:4096kB, shmem-rss:1024kB, UID:1000 pgtables:16700kB oom_score_adj:985"
)
KILL_GLOBAL = KILL_MEMCG.replace(b"Memory cgroup out of memory", b"Out of memory")
KILL_4_18 = b"Killed process 3456 (java), UID 1001, total-vm:10kB, anon-rss:8kB, file-rss:1kB, shmem-rss:0kB"
KILL_4_4 = b"Killed process 3456 (java) total-vm:10kB, anon-rss:8kB, file-rss:1kB"


def test_context_of_a_cgroup_limit() -> None:
    assert parse_oom(CONTEXT_MEMCG) == OomContext(
        pid=4242,
        task="python3",
        uid=1000,
        constraint="CONSTRAINT_MEMCG",
        limited_cgroup=POD,
        task_cgroup=POD + "/cri-containerd-ab.scope",
    )


def test_context_of_the_whole_host() -> None:
    assert parse_oom(CONTEXT_GLOBAL) == OomContext(77, "stress", 0, "CONSTRAINT_NONE", "", "/user.slice")


def test_kill() -> None:
    kill = parse_oom(KILL_MEMCG)
    assert kill == OomKill(
        pid=4242,
        task="python3",
        uid=1000,
        is_cgroup_limit=True,
        total_virtual_bytes=9437184 * 1024,
        anonymous_bytes=8388608 * 1024,
        file_bytes=4096 * 1024,
        shared_bytes=1024 * 1024,
    )
    assert kill.resident_bytes == (8388608 + 4096 + 1024) * 1024
    whole_host = parse_oom(KILL_GLOBAL)
    assert isinstance(whole_host, OomKill)
    assert not whole_host.is_cgroup_limit


@pytest.mark.parametrize(("line", "uid"), [(KILL_4_18, 1001), (KILL_4_4, None)])
def test_older_kernels(line: bytes, uid: int | None) -> None:
    kill = parse_oom(line)
    assert isinstance(kill, OomKill)
    assert (kill.pid, kill.task, kill.uid, kill.anonymous_bytes) == (3456, "java", uid, 8192)


@pytest.mark.parametrize("name", [b"a) total-vm:1", b") (", b"\xff\xfe\n", b"(", b""])
def test_a_task_may_have_any_name(name: bytes) -> None:
    kill = parse_oom(KILL_GLOBAL.replace(b"(python3)", b"(%s)" % name))
    assert isinstance(kill, OomKill)
    assert kill.pid == 4242
    assert kill.anonymous_bytes == 8388608 * 1024
    assert kill.task.isprintable()


def test_a_name_cannot_forge_the_victim() -> None:
    context = parse_oom(CONTEXT_GLOBAL.replace(b"task=stress", b"task=a,pid=1,uid=5"))
    assert isinstance(context, OomContext)
    assert (context.pid, context.uid) == (77, 0)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Out of memory: Killed process",
        b"a.out[7]: segfault at Out of memory: Killed process 1 (x) total-vm:1kB, anon-rss:1kB, file-rss:1kB",
        b"oom_reaper: reaped process 4242 (python3), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
        b"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cut short",
        b"oom-kill:",
    ],
)
def test_other_lines_are_none(line: bytes) -> None:
    assert parse_oom(line) is None


def test_the_marks_let_every_line_pass() -> None:
    for line in (CONTEXT_MEMCG, CONTEXT_GLOBAL, KILL_MEMCG, KILL_GLOBAL, KILL_4_18, KILL_4_4):
        assert any(mark in line for mark in MARKS)


@given(
    st.binary()
    | st.binary().map(lambda text: b"oom-kill:constraint=A," + text + b",pid=1,uid=2")
    | st.binary().map(lambda name: KILL_GLOBAL.replace(b"python3", name))
)
def test_arbitrary_bytes(text: bytes) -> None:
    found = parse_oom(text)
    assert found is None or found.task.isprintable()
