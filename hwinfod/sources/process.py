# SPDX-License-Identifier: MIT
"""/proc/PID: who a process is (stat), as whom it runs (status), and in which cgroups (cgroup).

A name (comm) and a cgroup's path are chosen by whoever may set them: any byte but newline and NUL in a path,
any byte in a name. Source: Documentation/filesystems/proc.rst section 1.1; fs/proc/array.c do_task_stat().
"""

from __future__ import annotations

from typing import NamedTuple

from hwinfod.errors import ParseError
from hwinfod.sources.files import Roots, clean_text, read_file

_PF_KTHREAD = 0x00200000  # include/linux/sched.h
_START_TIME = 19  # counted behind the name: field 22 of proc(5)
_FLAGS = 6
# A path is at most PATH_MAX and v1 has about a dozen hierarchies, each at its own.
_CGROUP_LIMIT = 256 << 10
_STATUS_LIMIT = 64 << 10


class ProcessStat(NamedTuple):
    """What tells a process from the next with its number. `start_time_ticks` is since boot, in units of
    1/sysconf(SC_CLK_TCK); the boot that counts is the time namespace's of the reader."""

    pid: int
    name: str
    state: str
    parent_pid: int
    is_kernel_thread: bool
    start_time_ticks: int


class ProcessStatus(NamedTuple):
    """`uids` are real, effective, saved and file system uid. `namespace_pids` are the process's numbers from
    the PID namespace of the procfs mount inwards; empty before Linux 4.1. `capabilities` is the effective set,
    a bit for each of include/uapi/linux/capability.h."""

    uids: tuple[int, int, int, int]
    namespace_pids: tuple[int, ...]
    capabilities: int


class CgroupLine(NamedTuple):
    """One hierarchy. v2 has number 0 and no controllers; v1 has them joined by commas, or "name=systemd"."""

    hierarchy: int
    controllers: str
    path: str


def parse_stat(data: bytes) -> ProcessStat:
    """`4711 (a) b) S 1 …`: the name ends at the last parenthesis. Raises ParseError."""
    head, parenthesis, tail = data.rpartition(b")")
    pid, _, name = head.partition(b" (")
    fields = tail.split()
    try:
        if not parenthesis:
            raise ValueError
        return ProcessStat(
            pid=int(pid),
            name=clean_text(name),
            state=fields[0].decode("ascii"),
            parent_pid=int(fields[1]),
            is_kernel_thread=bool(int(fields[_FLAGS]) & _PF_KTHREAD),
            start_time_ticks=int(fields[_START_TIME]),
        )
    except (ValueError, IndexError):
        raise ParseError(f"stat: {data[:80]!r}") from None


def parse_status(data: bytes) -> ProcessStatus:
    """The lines Uid, NSpid and CapEff. The name's line comes first, with newline and backslash escaped, so that
    no name can forge the others (fs/proc/array.c proc_task_name()). Raises ParseError."""
    values = dict(line.partition(b":")[::2] for line in data.splitlines())
    try:
        real, effective, saved, file_system = (int(word) for word in values[b"Uid"].split())
        return ProcessStatus(
            uids=(real, effective, saved, file_system),
            namespace_pids=tuple(int(word) for word in values.get(b"NSpid", b"").split()),
            capabilities=int(values.get(b"CapEff", b"0"), 16),
        )
    except (KeyError, ValueError):
        raise ParseError(f"status: {data[:80]!r}") from None


def parse_cgroups(data: bytes) -> tuple[CgroupLine, ...]:
    """`4:memory:/path` for each hierarchy, `0::/path` for v2; a path may hold colons. Bytes that are not UTF-8
    become surrogates, as in file names. Raises ParseError."""
    lines = []
    for line in data.split(b"\n"):
        if not line:
            continue
        hierarchy, _, rest = line.partition(b":")
        controllers, colon, path = rest.partition(b":")
        if not colon or not hierarchy.isdigit() or len(hierarchy) > 10:
            raise ParseError(f"cgroup: {line[:80]!r}")
        lines.append(
            CgroupLine(int(hierarchy), controllers.decode("ascii", "replace"), path.decode("utf-8", "surrogateescape"))
        )
    return tuple(lines)


def read_stat(roots: Roots, pid: int) -> ProcessStat:
    """Raises a `ReadError` (Gone where there is no such process, or none that we may see) or ParseError."""
    return parse_stat(read_file(roots.proc(str(pid), "stat"), 4096))


def read_status(roots: Roots, pid: int | str) -> ProcessStatus:
    """`pid` may be "self". Raises a `ReadError` or ParseError."""
    return parse_status(read_file(roots.proc(str(pid), "status"), _STATUS_LIMIT))


def read_cgroups(roots: Roots, pid: int) -> tuple[CgroupLine, ...]:
    """Raises a `ReadError` (Gone when the process ended) or ParseError."""
    return parse_cgroups(read_file(roots.proc(str(pid), "cgroup"), _CGROUP_LIMIT))
