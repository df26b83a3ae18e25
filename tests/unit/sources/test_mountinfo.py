# SPDX-License-Identifier: MIT
from __future__ import annotations

import os

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.files import read_file
from hwinfod.sources.mountinfo import Mount, parse_mountinfo, unescape

DATA = rb"""36 35 98:0 / /mnt/a\040b\134c rw,noatime master:1 shared:2 - ext4 /dev/root rw,errors=continue
37 35 0:45 /export /mnt/nfs rw,relatime shared:3 - nfs4 server:/vol\0431 rw,vers=4.2
38 35 0:46 / /mnt/empty ro - tmpfs  rw
39 35 8:1 / /broken rw,relatime - ext4 /dev/sda1 ro
"""


def test_escapes_optional_fields_and_empty_source() -> None:
    mounts = parse_mountinfo(DATA)
    assert mounts[0] == Mount(36, "98:0", b"/", b"/mnt/a b\\c", "ext4", b"/dev/root", is_read_only=False)
    assert (mounts[1].root, mounts[1].source, mounts[1].fstype) == (b"/export", b"server:/vol#1", "nfs4")
    assert (mounts[2].source, mounts[2].is_read_only) == (b"", True)


def test_a_file_system_that_the_kernel_made_read_only() -> None:
    assert parse_mountinfo(DATA)[3].is_read_only


@pytest.mark.parametrize(
    "data", [b"x", b"36 35 98:0 / /mnt rw\n", b"36 35 98:0 / - ext4 a rw\n", b"a 35 8:0 / /m rw - ext4 a rw\n"]
)
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_mountinfo(data)


@given(st.binary() | st.binary().map(lambda tail: DATA + tail))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        mounts = parse_mountinfo(data)
    except ParseError:
        return
    assert len(mounts) <= data.count(b"\n") + 1


@given(st.binary().filter(lambda path: b"\0" not in path))
def test_what_the_kernel_escapes_comes_back(path: bytes) -> None:
    mangled = path
    for char in b"\\ \t\n#":
        mangled = mangled.replace(bytes([char]), b"\\%03o" % char)
    assert unescape(mangled) == path


def test_the_real_file_agrees_with_psutil() -> None:
    points = {os.fsdecode(mount.mount_point) for mount in parse_mountinfo(read_file("/proc/self/mountinfo"))}
    assert {partition.mountpoint for partition in psutil.disk_partitions(all=True)} <= points
