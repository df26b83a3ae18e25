# SPDX-License-Identifier: MIT
"""Peers by their real credentials: other processes, other users, many groups."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from hwinfod.serve.http import Peer
from hwinfod.serve.http.peer import read_peer


@pytest.fixture
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    """Where every user may connect: pytest's own directories are private."""
    path = f"/tmp/hwinfod-test-{os.getpid()}-{tmp_path_factory.mktemp('p').name}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        os.chmod(path, 0o666)
        listening.listen()
        yield listening
    os.unlink(path)


def peer_of_child(listener: socket.socket, uid: int, gid: int, groups: list[int]) -> tuple[int, Peer]:
    """The pid of a child that connects with these ids, and the peer that we see."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups)
            os.setgid(gid)
            os.setuid(uid)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(listener.getsockname())
                client.recv(1)
        finally:
            os._exit(0)
    accepted, _ = listener.accept()
    with accepted:
        peer = read_peer(accepted)
    os.waitpid(child, 0)
    return child, peer


def test_ourselves(listener: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            assert read_peer(accepted) == Peer(os.getpid(), os.getuid(), os.getgid(), tuple(os.getgroups()))


@pytest.mark.tier("root")
@pytest.mark.parametrize(
    ("uid", "gid", "groups"),
    [
        (0, 0, []),
        (65534, 65534, []),
        (1234, 1235, [7, 20, 1000]),
        (1234, 1235, list(range(2000, 2256))),  # as many as socket.getsockopt() takes
        (1234, 1235, list(range(2000, 2257))),
        (1234, 1235, list(range(2000, 12000))),
    ],
)
def test_other_users(listener: socket.socket, uid: int, gid: int, groups: list[int]) -> None:
    child, peer = peer_of_child(listener, uid, gid, groups)
    assert peer == Peer(child, uid, gid, tuple(groups))


def test_tcp_has_no_credentials() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername()
        accepted, _ = server.accept()
        with accepted, pytest.raises(OSError, match=r"."):
            read_peer(accepted)
