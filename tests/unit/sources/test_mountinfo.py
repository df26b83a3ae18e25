# SPDX-License-Identifier: MIT
from __future__ import annotations

import os

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.files import read_file
from hwinfod.sources.mountinfo import Mount, choose_mounts, parse_mountinfo, unescape

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


def mount(point: str, device: str = "8:1", fstype: str = "ext4", root: str = "/", source: str = "/dev/sda1") -> Mount:
    return Mount(1, device, root.encode(), point.encode(), fstype, source.encode(), is_read_only=False)


def chosen(*mounts: Mount) -> list[str]:
    return [m.mount_point.decode() for m in choose_mounts(mounts, {"proc", "overlay"}, ("/run", "/var/lib/docker/"))]


def test_one_mount_for_each_file_system() -> None:
    bind = mount("/a", root="/var/a")
    assert chosen(bind, mount("/var"), mount("/mnt/var/again")) == ["/var"]
    assert chosen(bind, mount("/b", root="/b")) == ["/a"], "only parts of it are mounted: any will do"
    assert chosen(mount("/"), mount("/home", device="8:2")) == ["/", "/home"]


def test_excluded_types_and_paths() -> None:
    assert chosen(mount("/proc", fstype="proc"), mount("/run", device="8:3")) == []
    assert chosen(mount("/var/lib/docker/x"), mount("/running", device="8:2")) == ["/running"]


def test_a_mount_that_another_hides_is_none() -> None:
    assert chosen(mount("/mnt", device="8:1"), mount("/mnt", device="8:2")) == ["/mnt"]
    assert chosen(mount("/mnt", device="8:1"), mount("/mnt", device="0:9", fstype="overlay")) == []


@pytest.mark.parametrize(
    ("fstype", "source", "is_remote"),
    [
        ("ext4", "/dev/sda1", False),
        ("zfs", "tank/home", False),
        ("nfs4", "filer:/export", True),
        ("lustre", "10.0.0.1@o2ib:/fs", True),
        ("fuse.sshfs", "/dev/sda1", True),
    ],
)
def test_who_answers(fstype: str, source: str, is_remote: bool) -> None:
    assert mount("/x", fstype=fstype, source=source).is_remote is is_remote
