# SPDX-License-Identifier: MIT
"""Sockets from systemd: the right ones, of the right kind, and once."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod.errors import UserError
from hwinfod.serve.activation import take_activated_sockets

FIRST = 700


def unix(tmp_path: Path, kind: int = socket.SOCK_STREAM, *, listen: bool = True) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, kind)
    made.bind(str(tmp_path / f"s{made.fileno()}"))
    if listen:
        made.listen()
    return made


def tcp(family: int = socket.AF_INET) -> socket.socket:
    return socket.create_server(("127.0.0.1" if family == socket.AF_INET else "::1", 0), family=family)


@contextlib.contextmanager
def handed_over(*sockets: socket.socket | int) -> Iterator[None]:
    """The sockets as descriptors FIRST, FIRST + 1, ... and as inheritable as systemd leaves them."""
    for number, made in enumerate(sockets, FIRST):
        os.dup2(made if isinstance(made, int) else made.fileno(), number, inheritable=True)
        if not isinstance(made, int):
            made.close()
    try:
        yield
    finally:
        for number in range(FIRST, FIRST + len(sockets)):
            with contextlib.suppress(OSError):
                os.close(number)


def environment(count: int, names: str, pid: int | None = None) -> dict[str, str]:
    process = os.getpid() if pid is None else pid
    return {"LISTEN_PID": str(process), "LISTEN_FDS": str(count), "LISTEN_FDNAMES": names, "HOME": "/root"}


@pytest.mark.parametrize("names", ["api:metrics:metrics", "hwinfod.socket:hwinfod-metrics.socket:metrics"])
def test_sockets_are_sorted_by_name(tmp_path: Path, names: str) -> None:
    environ = environment(3, names)
    with handed_over(unix(tmp_path), tcp(), tcp(socket.AF_INET6)):
        activated = take_activated_sockets(environ, FIRST)
        with contextlib.ExitStack() as stack:
            for taken in (*activated.api, *activated.metrics):
                stack.enter_context(taken)
            assert [taken.fileno() for taken in activated.api] == [FIRST]
            assert [taken.fileno() for taken in activated.metrics] == [FIRST + 1, FIRST + 2]
            assert not any(taken.get_inheritable() for taken in (*activated.api, *activated.metrics))
            assert fcntl.fcntl(FIRST, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    assert environ == {"HOME": "/root"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        environment(1, "api", pid=1),
        {**environment(1, "api"), "LISTEN_PID": ""},
        {**environment(1, "api"), "LISTEN_FDS": "many"},
        {**environment(1, "api"), "LISTEN_FDS": "-1"},
        environment(0, ""),
    ],
)
def test_what_is_not_for_us_is_left_alone_and_forgotten(environ: dict[str, str]) -> None:
    assert take_activated_sockets(environ, FIRST) == ([], [])
    assert not [name for name in environ if name.startswith("LISTEN_")]


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("metrics", "unix", "metrics: its name does not fit"),
        ("api", "tcp", "api: its name does not fit"),
        ("other", "unix", "other: its name does not fit"),
        ("", "unix", "unnamed: its name does not fit"),
        ("api", "datagram", "api: not a listening stream socket"),
        ("api", "not listening", "api: not a listening stream socket"),
        ("api", "file", "api: no socket"),
        ("api", "closed", "api: no socket"),
    ],
)
def test_what_is_not_expected_is_named(tmp_path: Path, name: str, kind: str, message: str) -> None:
    make = {
        "unix": lambda: unix(tmp_path),
        "tcp": tcp,
        "datagram": lambda: unix(tmp_path, socket.SOCK_DGRAM, listen=False),
        "not listening": lambda: unix(tmp_path, listen=False),
        "file": lambda: os.open(os.devnull, os.O_RDONLY),
        "closed": lambda: None,
    }
    made = make[kind]()
    environ = environment(1, name)
    with handed_over(*[made] if made is not None else []):
        with pytest.raises(UserError, match=message) as refused:
            take_activated_sockets(environ, FIRST)
        assert "FileDescriptorName=" in refused.value.hint
    if isinstance(made, int):
        os.close(made)
    assert "LISTEN_FDS" not in environ


def test_one_that_is_not_expected_leaves_none_open(tmp_path: Path) -> None:
    with handed_over(unix(tmp_path), tcp()):
        with pytest.raises(UserError, match="api: its name does not fit"):
            take_activated_sockets(environment(2, "api:api"), FIRST)
        for number in (FIRST, FIRST + 1):
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(number)


def test_as_a_service_manager_starts_us(tmp_path: Path) -> None:
    """Descriptor 3, the variables in the real environment, and nothing of them left for children. The child puts the
    socket there: our own descriptor 3 is what a worker of pytest-xdist hears its controller on."""
    program = (
        "import os, sys\n"
        "os.dup2(int(sys.argv[1]), 3)\n"
        "from hwinfod.serve.activation import take_activated_sockets\n"
        "os.environ['LISTEN_PID'] = str(os.getpid())\n"
        "api, metrics = take_activated_sockets()\n"
        "print([s.fileno() for s in api], metrics, sorted(k for k in os.environ if k.startswith('LISTEN_')))\n"
    )
    with unix(tmp_path) as listener:
        command = [sys.executable, "-c", program, str(listener.fileno())]
        environ = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "api"}
        given = [listener.fileno()]
        done = subprocess.run(command, env=environ, pass_fds=given, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[3] [] []\n", "")
