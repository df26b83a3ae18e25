# SPDX-License-Identifier: MIT
"""The life of the socket file: whose it is, who may connect, and that a living daemon keeps its own."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod.errors import UserError
from hwinfod.serve.unix_socket import UnixSocket, open_unix_socket


@pytest.fixture
def opened() -> Iterator[list[UnixSocket]]:
    """Sockets of the test, closed at its end."""
    sockets: list[UnixSocket] = []
    yield sockets
    for each in sockets:
        each.listener.close()


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@pytest.fixture(
    params=[
        pytest.param(0o000, id="000"),
        pytest.param(0o022, id="022"),
        pytest.param(0o077, id="077"),
        pytest.param(0o777, id="777", marks=pytest.mark.tier("root")),  # others cannot use what they make then
    ]
)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path, mode: int, opened: list[UnixSocket]) -> None:
    path = tmp_path / "s"
    opened.append(open_unix_socket(str(path), mode=mode))
    status = path.lstat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == mode
    assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())


def test_it_listens_at_once(tmp_path: Path, opened: list[UnixSocket]) -> None:
    opened.append(open_unix_socket(str(tmp_path / "s")))
    assert answers(tmp_path / "s")


@pytest.mark.tier("root")
def test_the_group_is_set(tmp_path: Path, opened: list[UnixSocket]) -> None:
    opened.append(open_unix_socket(str(tmp_path / "s"), group="daemon"))
    assert (tmp_path / "s").group() == "daemon"


def test_an_unknown_group_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such group: nosuchgroup") as refused:
        open_unix_socket(str(tmp_path / "s"), group="nosuchgroup")
    assert "groupadd" in refused.value.hint
    assert not (tmp_path / "s").exists()


def test_a_dead_socket_is_replaced(tmp_path: Path, opened: list[UnixSocket]) -> None:
    path = tmp_path / "s"
    open_unix_socket(str(path)).listener.close()
    assert path.exists()
    opened.append(open_unix_socket(str(path)))
    assert answers(path)


def test_a_living_daemons_socket_is_not_touched(tmp_path: Path, opened: list[UnixSocket]) -> None:
    path = tmp_path / "s"
    opened.append(open_unix_socket(str(path)))
    inode = path.lstat().st_ino
    with pytest.raises(UserError, match="already listens"):
        open_unix_socket(str(path))
    assert path.lstat().st_ino == inode
    assert answers(path)


def test_a_busy_daemon_is_a_living_one(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(path))
        busy.listen(0)
        first.connect(str(path))  # and the backlog is full
        with pytest.raises(UserError, match="already listens"):
            open_unix_socket(str(path))


def test_another_programs_datagram_socket_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(UserError, match="already listens"):
            open_unix_socket(str(path))
        assert path.exists()


@pytest.mark.parametrize("kind", ["file", "directory", "fifo", "symlink", "dangling symlink"])
def test_what_is_no_socket_is_not_touched(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s"
    (tmp_path / "target").write_text("precious")
    make = {
        "file": lambda: path.write_text("precious"),
        "directory": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
        "symlink": lambda: path.symlink_to(tmp_path / "target"),
        "dangling symlink": lambda: path.symlink_to(tmp_path / "nothing"),
    }
    make[kind]()
    before = path.lstat()
    with pytest.raises(UserError, match="not a socket"):
        open_unix_socket(str(path))
    assert path.lstat().st_ino == before.st_ino
    assert (tmp_path / "target").read_text() == "precious"
    assert not (tmp_path / "s.lock").exists()


def test_two_that_start_at_once_do_not_both_win(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with open(f"{path}.lock", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another hwinfod is starting"):
            open_unix_socket(str(path))
    assert not path.exists()


def test_the_lock_is_not_kept(tmp_path: Path, opened: list[UnixSocket]) -> None:
    opened.append(open_unix_socket(str(tmp_path / "s")))
    with open(tmp_path / "s.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_planted_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "s.lock").symlink_to(tmp_path / "made by us")
    with pytest.raises(UserError, match="cannot listen at"):
        open_unix_socket(str(tmp_path / "s"))
    assert not (tmp_path / "made by us").exists()


def test_the_file_is_removed_at_the_end(tmp_path: Path) -> None:
    ours = open_unix_socket(str(tmp_path / "s"))
    ours.remove()
    ours.remove()
    ours.listener.close()
    assert not (tmp_path / "s").exists()


def test_a_successors_file_is_not_removed(tmp_path: Path, opened: list[UnixSocket]) -> None:
    path = tmp_path / "s"
    ours = open_unix_socket(str(path))
    ours.listener.close()
    path.rename(tmp_path / "kept")  # so that the inode number is not used again
    opened.append(open_unix_socket(str(path)))
    ours.remove()
    assert answers(path)


@pytest.mark.usefixtures("umask")
def test_a_missing_directory_is_made(tmp_path: Path, opened: list[UnixSocket]) -> None:
    opened.append(open_unix_socket(str(tmp_path / "run" / "s")))
    expected = 0o755 if os.geteuid() == 0 else 0o700
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == expected


@pytest.mark.tier("root")
def test_a_directory_made_for_a_user_is_private(opened: list[UnixSocket]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as shared:  # pytest's own are not for other users
        os.chmod(shared, 0o777 | stat.S_ISVTX)
        run = Path(shared, "run")
        os.seteuid(1234)
        try:
            opened.append(open_unix_socket(str(run / "s")))
        finally:
            os.seteuid(0)
        assert (stat.S_IMODE(run.stat().st_mode), run.stat().st_uid) == (0o700, 1234)


def test_only_one_level_is_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no directory for the socket") as refused:
        open_unix_socket(str(tmp_path / "a" / "b" / "s"))
    assert str(tmp_path / "a") in str(refused.value)


@pytest.mark.tier("root")
def test_a_strangers_directory_is_refused(tmp_path: Path) -> None:
    planted = tmp_path / "hwinfod-0"
    planted.mkdir()
    os.chown(planted, 1234, 1234)
    with pytest.raises(UserError, match="not safe"):
        open_unix_socket(str(planted / "s"))
    assert list(planted.iterdir()) == []


@pytest.mark.tier("root")
def test_a_strangers_link_to_our_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "planted").symlink_to(tmp_path / "ours")
    os.lchown(tmp_path / "planted", 1234, 1234)
    with pytest.raises(UserError, match="not safe"):
        open_unix_socket(str(tmp_path / "planted" / "s"))


@pytest.mark.tier("root")
def test_our_link_to_a_strangers_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 1234, 1234)
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    with pytest.raises(UserError, match="not safe"):
        open_unix_socket(str(tmp_path / "link" / "s"))


@pytest.mark.parametrize(("mode", "safe"), [(0o777, False), (0o1777, True), (0o775, True), (0o755, True)])
def test_a_directory_where_anybody_could_replace_the_socket(
    tmp_path: Path, mode: int, safe: bool, opened: list[UnixSocket]
) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    os.chmod(directory, mode)
    if safe:
        opened.append(open_unix_socket(str(directory / "s")))
    else:
        with pytest.raises(UserError, match="not safe"):
            open_unix_socket(str(directory / "s"))


def test_a_path_that_is_too_long_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="longer than 107 bytes"):
        open_unix_socket(str(tmp_path / ("s" * 107)))


def test_what_the_kernel_refuses_is_told_with_the_path() -> None:
    with pytest.raises(UserError, match=r"cannot listen at /proc/self/s: ") as refused:
        open_unix_socket("/proc/self/s")
    assert "--socket" in refused.value.hint


def test_a_relative_path_is_kept_from_where_it_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ours = open_unix_socket("s")
    monkeypatch.chdir("/")
    ours.remove()
    ours.listener.close()
    assert not (tmp_path / "s").exists()
