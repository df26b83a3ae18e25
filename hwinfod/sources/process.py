# SPDX-License-Identifier: MIT
"""/proc/PID: who a process is (stat), as whom it runs (status), in which cgroups (cgroup), and how it was started
(cmdline).

A name (comm), a command line and a cgroup's path are chosen by whoever may set them: any byte but newline and NUL in a
path, any byte in the others. Source: Documentation/filesystems/proc.rst section 1.1; fs/proc/array.c do_task_stat().
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.errors import ParseError, from_os_error
from hwinfod.sources.files import clean_text, read_file

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

DELETED = " (deleted)"  # kernel/cgroup/cgroup.c proc_cgroup_show()

_PF_EXITING = 0x00000004  # include/linux/sched.h
_PF_KTHREAD = 0x00200000
_START_TIME = 19  # counted behind the name: field 22 of proc(5)
_FLAGS = 6
# A path is at most PATH_MAX and v1 has about a dozen hierarchies, each at its own.
_CGROUP_LIMIT = 256 << 10
_STATUS_LIMIT = 64 << 10
_ENVIRON_LIMIT = 1 << 20
_PAGE = 4096
_CUT = " ..."
_HIDEPID = {"0": "", "off": "", "1": "noaccess", "2": "invisible", "4": "ptraceable"}


class ProcessStat(NamedTuple):
    """What tells a process from the next with its number. `start_time_ticks` is since boot, in units of
    1/sysconf(SC_CLK_TCK); the boot that counts is the time namespace's of the reader. One that is exiting, for
    as long as a driver makes it, is shown in the root of every v1 hierarchy."""

    pid: int
    name: str
    state: str
    parent_pid: int
    is_kernel_thread: bool
    is_exiting: bool
    start_time_ticks: int


class ProcessStatus(NamedTuple):
    """`uids` are real, effective, saved and file system uid. `namespace_pids` are the process's numbers from
    the PID namespace of the procfs mount inwards; empty before Linux 4.1. `capabilities` is the effective set,
    a bit for each of include/uapi/linux/capability.h."""

    uids: tuple[int, int, int, int]
    namespace_pids: tuple[int, ...]
    capabilities: int


class ProcOptions(NamedTuple):
    """How a procfs hides processes: "", "noaccess", "invisible" or "ptraceable", and the group that is exempt.
    Source: Documentation/filesystems/proc.rst chapter 4."""

    hidepid: str
    gid: int


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
        flags = int(fields[_FLAGS])
        return ProcessStat(
            pid=int(pid),
            name=clean_text(name),
            state=fields[0].decode("ascii"),
            parent_pid=int(fields[1]),
            is_kernel_thread=bool(flags & _PF_KTHREAD),
            is_exiting=bool(flags & _PF_EXITING),
            start_time_ticks=int(fields[_START_TIME]),
        )
    except (ValueError, IndexError):
        raise ParseError(f"stat: {data[:80]!r}") from None


def parse_status(data: bytes) -> ProcessStatus:
    """The lines Uid, NSpid and CapEff. The name's line comes first, with newline and backslash escaped, so that
    no name can forge the others (fs/proc/array.c proc_task_name()). Raises ParseError."""
    values = dict(line.partition(b":")[::2] for line in data.split(b"\n"))
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
    become surrogates, as in file names. A process may outlive its v2 cgroup, and the kernel says so behind the
    path: that is left out. Raises ParseError."""
    lines = []
    for line in data.split(b"\n"):
        if not line:
            continue
        hierarchy, _, rest = line.partition(b":")
        controllers, colon, path = rest.partition(b":")
        if not colon or not hierarchy.isdigit() or len(hierarchy) > 10:
            raise ParseError(f"cgroup: {line[:80]!r}")
        name = path.decode("utf-8", "surrogateescape")
        if not controllers:
            name = name.removesuffix(DELETED)
        lines.append(CgroupLine(int(hierarchy), controllers.decode("ascii", "replace"), name))
    return tuple(lines)


def parse_hidepid(mounts: bytes, procfs: str) -> ProcOptions:
    """Of /proc/self/mounts, the options of the procfs that is mounted last on `procfs`. Linux writes the mode as
    a number before 5.8, as a word since; "" where the kernel hides nothing. Never raises."""
    found = ProcOptions("", 0)
    for line in mounts.split(b"\n"):
        fields = line.split(b" ")
        if len(fields) < 4 or fields[2] != b"proc" or fields[1] != os.fsencode(procfs):
            continue
        options = dict(option.partition(b"=")[::2] for option in fields[3].split(b","))
        mode = options.get(b"hidepid", b"").decode("ascii", "replace")
        gid = options.get(b"gid", b"")
        found = ProcOptions(_HIDEPID.get(mode, mode), int(gid) if gid.isdigit() and len(gid) < 11 else 0)
    return found


def parse_command_line(data: bytes) -> str:
    """The arguments, each ended by a NUL, as one printable line; "" for a thread of the kernel and for a zombie. A
    process may have written a title over them. One as long as `ProcessFiles.command_line` reads goes on: " ...".
    Never raises."""
    return clean_text(data[:_PAGE]) + (_CUT if len(data) >= _PAGE else "")


class ProcessFiles:
    """The files of one process, for `with contextlib.closing(…)` or to be kept. The descriptor stays with this process
    and never passes to the next one of its number: every read of an ended process is `Gone`.

    Raises a `ReadError` when made and on each read: Gone (ended, or hidden from us), Denied (hidepid=1)."""

    __slots__ = ("_cgroup", "_fd", "_path")

    def __init__(self, roots: RootPaths, pid: int) -> None:
        self._path = roots.proc(str(pid))
        self._fd = self._cgroup = -1
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise from_os_error(error, self._path) from None

    def close(self) -> None:
        for fd in (self._fd, self._cgroup):
            if fd >= 0:
                os.close(fd)
        self._fd = self._cgroup = -1

    def __del__(self) -> None:
        self.close()

    def stat(self) -> ProcessStat:
        """Raises a `ReadError` or ParseError."""
        return parse_stat(self._read("stat", _PAGE))

    def status(self) -> ProcessStatus:
        """Raises a `ReadError` or ParseError."""
        return parse_status(self._read("status", _STATUS_LIMIT))

    def cgroup(self) -> bytes:
        """For `parse_cgroups`: the same bytes need not be parsed twice. Raises a `ReadError`."""
        return self._read("cgroup", _CGROUP_LIMIT)

    def cgroup_again(self) -> bytes:
        """As `cgroup`, for who asks often: the file is kept open too, which makes it half as dear. Raises a
        `ReadError`."""
        try:
            if self._cgroup < 0:
                fd = os.open("cgroup", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._fd)
                if os.fstat(fd).st_blocks:  # not the kernel's own: of an ended process it would go on telling
                    os.close(fd)
                    return self.cgroup()
                self._cgroup = fd
            data = os.pread(self._cgroup, _PAGE, 0)
            return data if len(data) < _PAGE else self.cgroup()
        except OSError as error:
            raise from_os_error(error, f"{self._path}/cgroup") from None

    def command_line(self) -> bytes:
        """For `parse_command_line`: the first page of it. May wait for whoever holds the process's memory map, a hung
        driver among them (mm/memory.c, access_remote_vm()). Raises a `ReadError`."""
        return self._read("cmdline", _PAGE)

    def environ(self) -> bytes:
        """NAME=VALUE, each ended by a NUL: as large as the process made it, and cut at a megabyte. May wait for whoever
        holds the process's memory map. Raises a `ReadError` (Denied without CAP_SYS_PTRACE)."""
        return self._read("environ", _ENVIRON_LIMIT)

    def _read(self, name: str, limit: int) -> bytes:
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._fd)
            try:
                data = part = os.read(fd, _PAGE)
                while len(part) == _PAGE and len(data) < limit:  # single_open(): only a full read has a rest
                    part = os.read(fd, _PAGE)
                    data += part
                return data
            finally:
                os.close(fd)
        except OSError as error:
            raise from_os_error(error, f"{self._path}/{name}") from None


def read_status(roots: RootPaths) -> ProcessStatus:
    """Of this process itself. Raises a `ReadError` or ParseError."""
    return parse_status(read_file(roots.proc("self", "status"), _STATUS_LIMIT))
