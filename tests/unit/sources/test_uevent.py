# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import select
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.uevent import Uevent, UeventSocket, parse_uevent
from tests.support.netns import ip, isolated

ADD_NET = (
    b"add@/devices/pci0000:15/0000:15:01.0/0000:1a:00.0/net/ens1np0\0ACTION=add\0"
    b"DEVPATH=/devices/pci0000:15/0000:15:01.0/0000:1a:00.0/net/ens1np0\0SUBSYSTEM=net\0INTERFACE=ens1np0\0"
    b"IFINDEX=6\0SEQNUM=4711\0"
)
BIND_PCI = (
    b"bind@/devices/pci0000:37/0000:37:01.0/0000:38:00.0\0ACTION=bind\0"
    b"DEVPATH=/devices/pci0000:37/0000:37:01.0/0000:38:00.0\0SUBSYSTEM=pci\0DRIVER=nvidia\0PCI_CLASS=30200\0"
    b"PCI_ID=10DE:2330\0PCI_SLOT_NAME=0000:38:00.0\0MODALIAS=pci:v000010DEd00002330\0SEQNUM=4712\0"
)
LIBUDEV = b"libudev\0\xfe\xed\xca\xfe\x28\0\0\0\x28\0\0\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=net\0"


def test_an_interface_comes() -> None:
    path = "/devices/pci0000:15/0000:15:01.0/0000:1a:00.0/net/ens1np0"
    event = parse_uevent(ADD_NET)
    assert event == Uevent("add", path, "net", "", "")
    assert event.name == "ens1np0"


def test_a_driver_is_bound() -> None:
    event = parse_uevent(BIND_PCI)
    assert (event.action, event.subsystem, event.driver, event.pci_slot) == ("bind", "pci", "nvidia", "0000:38:00.0")


@pytest.mark.parametrize("data", [
    b"", b"\0", b"add@", b"add@/devices/x", LIBUDEV,
    b"add@/devices/x\0ACTION=remove\0DEVPATH=/devices/x\0",  # a head that says something else
    b"add@devices/x\0ACTION=add\0DEVPATH=devices/x\0",
])  # fmt: skip
def test_what_is_no_kernel_event(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_uevent(data)


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    for candidate in (data, ADD_NET + data, ADD_NET[: len(data)] + data):
        try:
            event = parse_uevent(candidate)
        except ParseError:
            continue
        assert event.devpath.startswith("/")
        assert event.action.isprintable()


@pytest.mark.tier("netns")
@isolated
def test_the_kernel_tells_of_interfaces_that_come_and_go() -> None:
    uevents = UeventSocket()
    assert uevents.read() == ([], True)
    ip("link", "add", "dev", "uev0", "type", "veth", "peer", "name", "uev1")
    ip("link", "set", "dev", "uev1", "name", "renamed1")
    ip("link", "del", "dev", "uev0")
    events, whole = uevents.read()
    assert whole
    said = {(event.action, event.name) for event in events if event.subsystem == "net"}
    assert {("add", "uev0"), ("add", "uev1"), ("move", "renamed1"), ("remove", "uev0")} <= said
    assert uevents.read() == ([], True)
    uevents.close()


@pytest.mark.tier("netns")
@isolated
def test_what_a_process_says_in_the_kernels_name_is_not_heard() -> None:
    uevents = UeventSocket()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15) as forger:
        forger.sendto(ADD_NET, (0, 1))
    assert select.select([uevents], [], [], 0) == ([uevents], [], [])
    assert uevents.read() == ([], True)
    uevents.close()


@pytest.mark.tier("netns")
@isolated
def test_an_overrun_is_told_and_the_next_events_are_read() -> None:
    uevents = UeventSocket()
    with socket.socket(fileno=os.dup(uevents.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        ip("link", "add", "dev", "over0", "type", "veth")
        assert uevents.read()[1] is False
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    ip("link", "del", "dev", "over0")
    events, whole = uevents.read()
    assert whole
    assert ("remove", "over0") in {(event.action, event.name) for event in events}
    uevents.close()
