# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys

import pytest

from hwinfod.errors import Absent, NotProvided
from hwinfod.sources.files import Roots
from hwinfod.sources.nldev.client import Client
from hwinfod.sources.nldev.enums import COMMAND
from hwinfod.sources.nldev.transport import SocketTransport, open_transport


def test_a_host_without_the_class_is_not_asked(tmp_path):
    with pytest.raises(Absent, match="no class infiniband"):
        open_transport(Roots(sysfs=str(tmp_path)))


def test_a_kernel_without_the_protocol_has_no_rdma(tmp_path, monkeypatch):
    (tmp_path / "class" / "infiniband").mkdir(parents=True)

    def refuse(*arguments):
        raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(Absent, match="no NETLINK_RDMA"):
        open_transport(Roots(sysfs=str(tmp_path)))


@pytest.fixture
def pair():
    """A transport and the other end of its socket."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    transport = SocketTransport(near, timeout_seconds=0)
    yield transport, far
    transport.close()
    far.close()


def test_datagrams_pass_both_ways(pair):
    transport, far = pair
    transport.send(b"question")
    assert far.recv(100) == b"question"
    far.send(b"first")
    far.send(b"second")
    assert transport.receive() == b"first"
    assert transport.receive_waiting() == b"second"
    assert transport.receive_waiting() is None


def test_silence_is_a_timeout(pair):
    with pytest.raises(OSError, match="no answer") as caught:
        pair[0].receive()
    assert caught.value.errno == errno.ETIMEDOUT


def test_close_gives_both_descriptors_back():
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    transport = SocketTransport(near)
    descriptor = transport.fileno()
    transport.close()
    far.close()
    assert near.fileno() == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_the_kernel_answers_over_pyroute2s_socket():
    """rtnetlink (protocol 0) stands for NETLINK_RDMA: the same frame, and a refusal with the kernel's errno."""
    from hwinfod.sources.nldev.family import RDMASocket

    sock = RDMASocket(family=0)
    sock.bind()
    client = Client(SocketTransport(sock))
    try:
        with pytest.raises(NotProvided) as caught:
            client.ask(COMMAND["STAT_GET"], (1, 0))
        assert caught.value.errno == errno.EOPNOTSUPP
    finally:
        client.close()


def test_pyroute2_is_imported_by_the_family_alone():
    modules = "attributes client counters devices enums fields messages resources transport tree __main__".split()
    code = (
        "import sys\n"
        + "".join(f"import hwinfod.sources.nldev.{module}\n" for module in modules)
        + "print([name for name in sys.modules if name.startswith(('pyroute2', 'asyncio'))])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
