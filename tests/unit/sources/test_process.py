# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import Gone, ParseError
from hwinfod.sources.files import Roots
from hwinfod.sources.process import (
    CgroupLine,
    ProcessFiles,
    parse_cgroups,
    parse_command_line,
    parse_hidepid,
    parse_stat,
    parse_status,
    read_status,
)

STAT = (
    b"4711 (%s) S 1 4711 4711 0 -1 4194560 2089 0 31 0 12 7 0 0 20 0 5 0 3141592 109510656 3266 "
    b"18446744073709551615 1 1 0 0 0 0 0 4096 65536 0 0 0 17 3 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)
KTHREAD = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 5 0 0 20 0 1 0 3 0 0 18446744073709551615 0 0\n"
STATUS = (
    b"Name:\tpython3\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4711\nPid:\t4711\nPPid:\t1\n"
    b"Uid:\t1000\t1001\t1002\t1003\nGid:\t0\t0\t0\t0\nNStgid:\t4711\t7\nNSpid:\t4711\t7\n"
    b"CapEff:\t0000000000080004\n"
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"python3", "python3"),
        (b"a) S 1 (b", "a) S 1 (b"),
        (b") R 0 0 0 0 -1 2129984 0 0", ") R 0 0 0 0 -1 2129984 0 0"),
        (b"", ""),
        (b"new\nline", "new line"),
        (b"\xff\x1b[2J", "\N{REPLACEMENT CHARACTER} [2J"),
    ],
)
def test_a_name_forges_no_field(name: bytes, shown: str) -> None:
    stat = parse_stat(STAT % name)
    assert (stat.pid, stat.name, stat.state, stat.parent_pid) == (4711, shown, "S", 1)
    assert (stat.is_kernel_thread, stat.start_time_ticks) == (False, 3141592)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"python3\0train.py\0--lr=0.1\0", "python3 train.py --lr=0.1"),
        (b"sh\0-c\0echo a\nrm b\0", "sh -c echo a rm b"),
        (b"\x1b[2J\0\xff\x9b\0\xe2\x80\xae", "[2J \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"),
        (b"nginx: worker process\0\0\0\0", "nginx: worker process"),
        (b"", ""),
        (b"x" * 4095, "x" * 4095),
        (b"x" * 4096, "x" * 4096 + " ..."),
    ],
)
def test_a_command_line_is_one_printable_line(data: bytes, shown: str) -> None:
    assert parse_command_line(data) == shown


@given(st.binary(max_size=5000))
def test_no_command_line_speaks_to_a_terminal(data: bytes) -> None:
    shown = parse_command_line(data)
    assert shown.isprintable()
    assert len(shown) <= 4100


def test_the_command_line_of_a_process_is_read_as_far_as_a_page_goes() -> None:
    command = [sys.executable, "-c", "print(flush=True); input()", "y" * 9000]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()  # it runs: exec(2) is over
        with contextlib.closing(ProcessFiles(Roots(), child.pid)) as files:
            data = files.command_line()
        child.kill()
    assert data.startswith(os.fsencode(sys.executable) + b"\0-c\0print(flush=True); input()\0yyy")
    assert len(data) == 4096


def test_a_kept_cgroup_is_as_new_and_ends_with_its_process() -> None:
    with subprocess.Popen(["sleep", "600"]) as child, contextlib.closing(ProcessFiles(Roots(), child.pid)) as files:
        assert [files.cgroup_again(), files.cgroup_again()] == [files.cgroup()] * 2
        child.kill()
        child.wait()
        with pytest.raises(Gone):
            files.cgroup_again()


def test_kernel_thread() -> None:
    stat = parse_stat(KTHREAD)
    assert (stat.name, stat.is_kernel_thread, stat.start_time_ticks) == ("kthreadd", True, 3)


@pytest.mark.parametrize("data", [b"", b"1 (a", b"1 (a) S 1", b"x (a) S 1 " + b"0 " * 40, b"1 (a) S y " + b"0 " * 40])
def test_stat_garbage(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_stat(data)


def test_status() -> None:
    status = parse_status(STATUS)
    assert status.uids == (1000, 1001, 1002, 1003)
    assert status.namespace_pids == (4711, 7)
    assert status.capabilities == 1 << 19 | 1 << 2


def test_status_of_an_old_kernel() -> None:
    assert parse_status(b"Name:\tx\nUid:\t0\t0\t0\t0\n").namespace_pids == ()


@pytest.mark.parametrize(
    "data", [b"", b"Name:\tx\n", b"Uid:\t1\t2\n", b"Uid:\t1\t2\t3\tx\n", STATUS + b"CapEff:\txyz\n"]
)
def test_status_garbage(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_status(data)


def test_cgroups() -> None:
    data = b"12:cpu,cpuacct:/a:b:c\n1:name=systemd:/x y\n0::/\xff\n"
    assert parse_cgroups(data) == (
        CgroupLine(12, "cpu,cpuacct", "/a:b:c"),
        CgroupLine(1, "name=systemd", "/x y"),
        CgroupLine(0, "", "/\udcff"),
    )
    assert parse_cgroups(b"") == ()  # a kernel without cgroups, or a zombie on v1


@pytest.mark.parametrize("data", [b"x", b"0:/", b":a:/", b"-1::/", b"1 ::/"])
def test_cgroups_garbage(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_cgroups(data)


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    for parse in (parse_stat, parse_status, parse_cgroups):
        with contextlib.suppress(ParseError):
            parse(data)


@given(st.binary(max_size=15).filter(lambda name: b"\0" not in name))
def test_any_name(name: bytes) -> None:
    stat = parse_stat(STAT % name)
    assert (stat.parent_pid, stat.start_time_ticks) == (1, 3141592)
    assert stat.name.isprintable()


def test_a_deleted_cgroup() -> None:
    assert parse_cgroups(b"1:cpu:/x (deleted)\n0::/x (deleted)\n") == (
        CgroupLine(1, "cpu", "/x (deleted)"),  # v1 says no such thing: that is its name
        CgroupLine(0, "", "/x"),
    )


def test_an_exiting_process() -> None:
    assert parse_stat(STAT.replace(b"4194560", b"4194564") % b"x").is_exiting
    assert not parse_stat(STAT.replace(b"4194560", b"4194561") % b"x").is_exiting


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (b"rw,relatime", ("", 0)),
        (b"rw,hidepid=2,gid=27", ("invisible", 27)),
        (b"rw,gid=4,hidepid=ptraceable", ("ptraceable", 4)),
        (b"rw,hidepid=1", ("noaccess", 0)),
        (b"rw,hidepid=invisible,subset=pid", ("invisible", 0)),
        (b"rw,hidepid=off,gid=x", ("", 0)),
        (b"rw,hidepid=0", ("", 0)),
        (b"rw,hidepid=4", ("ptraceable", 0)),
    ],
)
def test_hidepid(options: bytes, expected: tuple[str, int]) -> None:
    mounts = b"sysfs /sys sysfs rw 0 0\nproc /proc proc %s 0 0\nproc /other proc rw,hidepid=4 0 0\n" % options
    assert parse_hidepid(mounts, "/proc") == expected


def test_the_last_procfs_on_a_path_is_the_visible_one() -> None:
    mounts = b"proc /proc proc rw,hidepid=2 0 0\nproc /proc proc rw 0 0\ntmpfs /proc tmpfs rw 0 0\n"
    assert parse_hidepid(mounts, "/proc") == ("", 0)


@given(st.binary())
def test_hidepid_of_arbitrary_bytes(data: bytes) -> None:
    assert parse_hidepid(data, "/proc").gid >= 0
    assert parse_hidepid(b"proc /proc proc " + data, "/proc").gid >= 0


def test_this_process() -> None:
    roots = Roots()
    with contextlib.closing(ProcessFiles(roots, os.getpid())) as files:
        stat, status, content = files.stat(), files.status(), files.cgroup()
    assert (stat.pid, stat.parent_pid, stat.is_kernel_thread) == (os.getpid(), os.getppid(), False)
    assert status.uids == read_status(roots).uids == (os.getuid(), os.geteuid(), os.geteuid(), os.geteuid())
    assert content == Path("/proc/self/cgroup").read_bytes()


def test_a_long_content_is_read_whole(tmp_path: Path) -> None:
    """A v1 host with deep cgroups writes more than a page."""
    content = b"".join(b"%d:c%d:/%s\n" % (number, number, b"x" * 4000) for number in range(5))
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_bytes(content)
    with contextlib.closing(ProcessFiles(Roots(procfs=str(tmp_path)), 7)) as files:
        assert files.cgroup() == content


def test_an_ended_process_is_gone_even_if_its_number_is_used_again() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with contextlib.closing(ProcessFiles(Roots(), child.pid)) as files:
        assert files.stat().pid == child.pid
        child.communicate(b"\n")
        for read in (files.stat, files.status, files.cgroup):
            with pytest.raises(Gone):
                read()


def test_no_such_process(tmp_path: Path) -> None:
    with pytest.raises(Gone):
        ProcessFiles(Roots(procfs=str(tmp_path)), 4711)
