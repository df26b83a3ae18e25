# SPDX-License-Identifier: MIT
"""What the kernel's log says when it kills a process for want of memory.

Two lines belong to one kill. The first says why and where (Linux 4.19 and later):
    oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,
    task=python3,pid=4242,uid=1000
The second says how large:
    Memory cgroup out of memory: Killed process 4242 (python3) total-vm:102400kB, anon-rss:51200kB, ...
Source: mm/oom_kill.c dump_oom_summary() and __oom_kill_process().

A task's name and a cgroup's name are a tenant's: they may hold any byte, so that both lines are read from
their fixed ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hwinfod.sources.files import clean_text

# What every line of interest contains: a filter for `KernelLog.read`.
MARKS = (b"oom-kill:constraint=", b"Killed process ")

_KILL = re.compile(
    rb"(?P<reason>(?:[A-Za-z][A-Za-z ()_]{0,60}: )?)Killed process (?P<pid>\d{1,9}) \((?P<task>.*)\)"
    rb"(?P<uid_before>, UID \d{1,10},)? total-vm:(?P<total_vm>\d{1,15})kB, anon-rss:(?P<anon>\d{1,15})kB, "
    rb"file-rss:(?P<file>\d{1,15})kB(?:, shmem-rss:(?P<shmem>\d{1,15})kB)?(?P<rest>.*)\Z",
    re.DOTALL,
)
_UID = re.compile(rb" UID[: ](\d{1,10})")  # with a space in Red Hat's older kernels
_CONSTRAINT = re.compile(rb"oom-kill:constraint=([A-Z_]{1,40}),")
_VICTIM = re.compile(rb"(\d{1,9}),uid=(\d{1,10})\Z")


@dataclass(frozen=True, slots=True)
class OomContext:
    """Why: the constraint that was hit (`CONSTRAINT_NONE`: the host as a whole; `_MEMCG`: the limit of
    `limited_cgroup`; `_CPUSET`, `_MEMORY_POLICY`: NUMA nodes) and who was chosen."""

    pid: int
    task: str
    uid: int
    constraint: str
    limited_cgroup: str
    task_cgroup: str


@dataclass(frozen=True, slots=True)
class OomKill:
    """Who was killed, and what it held. `uid` is None before Linux 5.4."""

    pid: int
    task: str
    uid: int | None
    is_cgroup_limit: bool
    total_virtual_bytes: int
    anonymous_bytes: int
    file_bytes: int
    shared_bytes: int

    @property
    def resident_bytes(self) -> int:
        return self.anonymous_bytes + self.file_bytes + self.shared_bytes


def parse_oom(text: bytes) -> OomContext | OomKill | None:
    """A line of the kernel's log; None for every other line. Ask only for records that are from the kernel."""
    constraint = _CONSTRAINT.match(text)
    if constraint is not None:
        return _context(constraint[1], text)
    match = _KILL.match(text)
    return None if match is None else _kill(match)


def _context(constraint: bytes, text: bytes) -> OomContext | None:
    rest, _, victim = text.rpartition(b",pid=")
    match = _VICTIM.match(victim)
    if match is None:
        return None
    rest, _, task = rest.rpartition(b",task=")
    rest, _, task_cgroup = rest.rpartition(b",task_memcg=")
    _, is_limit, limited_cgroup = rest.rpartition(b",oom_memcg=")
    return OomContext(
        pid=int(match[1]),
        task=clean_text(task),
        uid=int(match[2]),
        constraint=constraint.decode("ascii"),
        limited_cgroup=clean_text(limited_cgroup) if is_limit else "",
        task_cgroup=clean_text(task_cgroup),
    )


def _kill(match: re.Match[bytes]) -> OomKill:
    uid = _UID.search(match["uid_before"] or match["rest"])
    return OomKill(
        pid=int(match["pid"]),
        task=clean_text(match["task"]),
        uid=int(uid[1]) if uid else None,
        is_cgroup_limit=match["reason"].startswith(b"Memory cgroup"),
        total_virtual_bytes=int(match["total_vm"]) << 10,
        anonymous_bytes=int(match["anon"]) << 10,
        file_bytes=int(match["file"]) << 10,
        shared_bytes=int(match["shmem"] or 0) << 10,
    )
