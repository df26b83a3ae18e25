# SPDX-License-Identifier: MIT
"""Listen addresses as operators write them, and what they open."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from hwinfod.errors import UserError
from hwinfod.serve.tcp_sockets import open_tcp_sockets, parse_listen_address


@contextlib.contextmanager
def listening(text: str) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(opened) for opened in open_tcp_sockets(text)]


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:10049", "127.0.0.1", 10049),
        ("localhost:0", "localhost", 0),
        (":10049", "", 10049),
        ("[::1]:10049", "::1", 10049),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        ("node-17.example:65535", "node-17.example", 65535),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_listen_address(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", "10049", "localhost", "localhost:", ":65536", ":-1", ":+1", ":1e3", ": 1", ":\u0663", ":100490"),
        *("::1:10049", "[::1]", "vsock://:1", "http://localhost:1"),
    ],
)
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_listen_address(text)
    assert str(refused.value) == f"not a listen address: {text}"
    assert "HOST:PORT" in refused.value.hint


def test_one_address_is_one_socket() -> None:
    with listening("127.0.0.1:0") as [opened]:
        host, port = opened.getsockname()
        assert host == "127.0.0.1"
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        assert not opened.get_inheritable()
        with socket.create_connection(("127.0.0.1", port)):
            pass


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here: :PORT is IPv4 alone")
def test_a_bare_port_takes_both_families() -> None:
    with listening(":0") as [opened]:
        port = opened.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, port)):
                pass


def test_without_ipv6_a_bare_port_is_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with listening(":0") as [opened]:
        assert opened.family == socket.AF_INET


def test_every_address_of_a_name_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{n}", 0)) for n in (2, 3, 2)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with listening("name:0") as opened:
        assert [each.getsockname()[0] for each in opened] == ["127.0.0.2", "127.0.0.3"]


def test_all_addresses_of_a_name_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was opened before another failed is closed: a socket left open would be reported at the test's end."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in ("127.0.0.2", "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(UserError, match="cannot listen on name:0"):
        open_tcp_sockets("name:0")


def test_a_taken_port_says_so_and_leaves_nothing_open() -> None:
    with listening("127.0.0.1:0") as [first]:
        port = first.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use") as refused:
            open_tcp_sockets(f"127.0.0.1:{port}")
        assert "ss -ltnp" in refused.value.hint


@pytest.mark.parametrize("text", ["192.0.2.1:0", "[2001:db8::1]:0"])
def test_an_address_of_another_host_says_so(text: str) -> None:
    with pytest.raises(UserError, match="cannot listen on"):
        open_tcp_sockets(text)


def test_a_name_that_does_not_resolve_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UserError, match="cannot listen on nohost:1: Name or service not known"):
        open_tcp_sockets("nohost:1")


def test_a_restart_does_not_wait_for_old_connections() -> None:
    with listening("127.0.0.1:0") as [first]:
        port = first.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = first.accept()
        accepted.close()  # we close first: the port is left in TIME_WAIT
        client.close()
    with listening(f"127.0.0.1:{port}") as [second]:
        assert second.getsockname()[1] == port
