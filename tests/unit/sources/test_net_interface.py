# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import Gone
from hwinfod.sources.files import Roots
from hwinfod.sources.net_interface import (
    LinkFacts,
    LinkState,
    list_interfaces,
    parse_devtype,
    read_interface,
    read_is_enabled,
    read_link,
    speed_to_bytes_per_second,
)
from tests.support.netns import ip, isolated
from tests.support.sysfs import link, put, put_interface, put_pci

ETHERNET = {"ifindex": 6, "type": 1, "mtu": 9000, "address": "94:6d:ae:5c:1a:00", "uevent": "INTERFACE=x\nIFINDEX=6"}


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots(sysfs=str(tmp_path))


def test_hardware(roots: Roots, tmp_path: Path) -> None:
    card = put_pci(tmp_path, "0000:15:01.0/0000:1a:00.0", {"numa_node": 1}, driver="mlx5_core")
    bond = put_interface(tmp_path, "bond0", {**ETHERNET, "uevent": "DEVTYPE=bond\nINTERFACE=bond0"})
    port = put_interface(tmp_path, "ens1np0", {**ETHERNET, "dev_port": 1, "phys_port_name": "p0"}, card)
    link(port / "master", bond)
    interface = read_interface(roots, "ens1np0")
    assert (interface.kind, interface.is_physical, interface.index) == ("physical", True, 6)
    assert (interface.driver, interface.pci_address, interface.numa_node) == ("mlx5_core", "0000:1a:00.0", 1)
    assert (interface.address, interface.mtu_bytes, interface.port) == ("94:6d:ae:5c:1a:00", 9000, 1)
    assert interface.master == "bond0"
    assert read_interface(roots, "bond0").kind == "bond"


def test_a_device_on_another_bus_still_has_its_pci_function(roots: Roots, tmp_path: Path) -> None:
    function = put_pci(tmp_path, "0000:00:03.0", {"numa_node": -1})
    virtio = put(function / "virtio2", {"status": "0x7"})
    link(virtio / "driver", tmp_path / "bus/virtio/drivers/virtio_net")
    put_interface(tmp_path, "eth0", ETHERNET, virtio)
    interface = read_interface(roots, "eth0")
    assert (interface.kind, interface.driver, interface.pci_address) == ("physical", "virtio_net", "0000:00:03.0")
    assert interface.numa_node is None


def test_functions_given_away_are_not_physical(roots: Roots, tmp_path: Path) -> None:
    card = put_pci(tmp_path, "0000:15:01.0/0000:1a:00.0", {"numa_node": 0})
    function = put_pci(tmp_path, "0000:15:01.0/0000:1a:00.2", {"numa_node": 0})
    link(function / "physfn", card)
    put_interface(tmp_path, "ens1v0", ETHERNET, function)
    put_interface(tmp_path, "ens1pf0vf0", {**ETHERNET, "phys_port_name": "c1pf0vf0"}, card)
    put_interface(tmp_path, "ens1s4", ETHERNET, put(card / "mlx5_core.sf.4", {"sfnum": 88}))
    kinds = {name: read_interface(roots, name).kind for name in list_interfaces(roots)}
    assert kinds == {"ens1v0": "vf", "ens1pf0vf0": "representor", "ens1s4": "subfunction"}


def test_what_the_kernel_made(roots: Roots, tmp_path: Path) -> None:
    put_interface(tmp_path, "lo", {**ETHERNET, "type": 772})
    put_interface(tmp_path, "br0", {**ETHERNET, "uevent": "DEVTYPE=bridge"})
    put_interface(tmp_path, "veth3c1f", ETHERNET)
    put_interface(tmp_path, "odd0", {**ETHERNET, "uevent": "DEVTYPE=\x1b[31m"})
    put(tmp_path / "class/net", {"bonding_masters": "bond0"})  # a file among the links
    kinds = {name: read_interface(roots, name).kind for name in list_interfaces(roots)}
    assert kinds == {"lo": "loopback", "br0": "bridge", "veth3c1f": "virtual", "odd0": "virtual"}


def test_one_that_left_has_no_facts(roots: Roots) -> None:
    assert list_interfaces(roots) == []
    gone = read_interface(roots, "eth7")
    assert (gone.index, gone.kind, gone.address, gone.mtu_bytes) == (None, "virtual", "", None)
    assert read_link(roots, "eth7") == LinkFacts(None, None)
    assert read_is_enabled(roots, "eth7") is None
    with pytest.raises(Gone):
        LinkState(roots, "eth7").read()


def test_link(roots: Roots, tmp_path: Path) -> None:
    files = {"speed": 400000, "duplex": "full", "operstate": "up", "carrier_changes": 3, "flags": "0x1003"}
    directory = put_interface(tmp_path, "ens1np0", files)
    state = LinkState(roots, "ens1np0")
    assert read_link(roots, "ens1np0") == LinkFacts(50_000_000_000, "full")
    assert state.read() == ("up", 3)
    assert read_is_enabled(roots, "ens1np0") is True
    put(directory, {"speed": -1, "duplex": "unknown", "operstate": "lowerlayerdown", "flags": "0x1002"})
    (directory / "carrier_changes").unlink()  # before Linux 3.15
    assert read_link(roots, "ens1np0") == LinkFacts(None, None)
    assert state.read() == ("lowerlayerdown", None)
    assert read_is_enabled(roots, "ens1np0") is False
    put(directory, {"operstate": b"\xff\n"})
    assert state.read() == ("unknown", None)
    state.close()


@pytest.mark.parametrize("speed", [None, -1, 0, 0xFFFFFFFF])
def test_speeds_that_are_none(speed: int | None) -> None:
    assert speed_to_bytes_per_second(speed) is None


@given(st.binary() | st.binary().map(lambda tail: b"DEVTYPE=" + tail))
def test_arbitrary_bytes(data: bytes) -> None:
    assert parse_devtype(data) == "" or parse_devtype(data).encode() in data


@pytest.mark.tier("netns")
@isolated
def test_iproute2_agrees() -> None:
    ip("link", "add", "dev", "br0", "type", "bridge")
    ip("link", "add", "dev", "veth0", "mtu", "1400", "type", "veth", "peer", "name", "veth1")
    ip("link", "set", "dev", "veth0", "master", "br0")
    ip("link", "set", "dev", "lo", "up")  # the others wait for linkwatch, and would change while we look
    roots, theirs = Roots(), {link["ifname"]: link for link in json.loads(ip("-j", "-d", "link"))}
    assert set(list_interfaces(roots)) == theirs.keys() == {"lo", "br0", "veth0", "veth1"}
    kinds = {}
    for name, told in theirs.items():
        interface = read_interface(roots, name)
        kinds[name] = interface.kind
        assert (interface.index, interface.mtu_bytes) == (told["ifindex"], told["mtu"])
        assert (interface.address, interface.master) == (told["address"], told.get("master", ""))
        assert LinkState(roots, name).read()[0] == told["operstate"].lower()
        assert read_is_enabled(roots, name) is ("UP" in told["flags"])
    assert kinds == {"lo": "loopback", "br0": "bridge", "veth0": "virtual", "veth1": "virtual"}
