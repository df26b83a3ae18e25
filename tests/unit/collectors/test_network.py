# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod.collectors.network import FLAPPING, Network
from hwinfod.core.check import evaluate
from hwinfod.core.device import Status
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.health import State
from hwinfod.core.metric import Level
from hwinfod.errors import ReadError
from hwinfod.sources.rtnetlink import StatsSocket
from tests.support.bench import Bench
from tests.support.netns import ip, isolated
from tests.support.sysfs import link, put, put_interface, put_pci

CARD = {"numa_node": 1}
PORT = {"ifindex": 6, "type": 1, "mtu": 9000, "address": "94:6d:ae:5c:1a:00", "operstate": "up", "carrier_changes": 2,
        "speed": 400000, "duplex": "full", "flags": "0x1003", "uevent": "INTERFACE=ens1"}  # fmt: skip
VETH = {**PORT, "ifindex": 11, "speed": 10000, "mtu": 1450}
HEADER = "Inter-|   Receive  |  Transmit\n face |bytes  |bytes\n"


class Machine:
    """One card with one port, and a veth; its figures are moved by a test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sysfs = directory / "sys"
        self.card = put_pci(self.sysfs, "0000:15:01.0/0000:1a:00.0", CARD, driver="mlx5_core")
        self.port = put_interface(self.sysfs, "ens1", PORT, self.card)
        put_interface(self.sysfs, "veth1", VETH)
        self.lines = {"ens1": list(range(16)), "veth1": list(range(100, 116))}
        self.show()

    def show(self) -> None:
        lines = "".join(f"{name}: {' '.join(map(str, numbers))}\n" for name, numbers in self.lines.items())
        put(self.directory / "proc", {"net/dev": HEADER.encode() + lines.encode()})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def bench(machine: Machine) -> Iterator[Bench]:
    bench = Bench(Network, machine.directory)
    run(bench)
    yield bench
    bench.runner.close()


def run(bench: Bench) -> dict[str, int | float]:
    """All beats once."""
    return {name: value for method in Network.beats() for name, value in bench.run(method).items()}


def happened(bench: Bench) -> list[tuple[EventKind, Severity]]:
    return [(event.kind, event.severity) for event in bench.events()]


def test_hardware_is_standard_and_the_rest_in_detail(bench: Bench) -> None:
    values = run(bench)
    assert values["hw_network_receive_bytes_total{interface=ens1}"] == 0
    assert values["hw_network_transmit_bytes_total{interface=ens1}"] == 8
    assert values["hw_network_receive_drops_total{interface=ens1}"] == 3
    assert values["hw_network_receive_bytes_total{interface=veth1}"] == 100
    assert values["hw_network_transmit_carrier_errors_total{interface=veth1}"] == 114
    assert values["hw_network_up{interface=ens1}"] == values["hw_network_up{interface=veth1}"] == 1
    assert values["hw_network_carrier_changes_total{interface=ens1}"] == 2
    assert values["hw_network_speed_bytes_per_second{interface=ens1}"] == 50_000_000_000
    assert values["hw_network_mtu_bytes{interface=veth1}"] == 1450
    standard = {name for method in Network.beats() for name in bench.values(method, Level.STANDARD)}
    assert len(standard) == 6 + 2  # bytes, errors and drops both ways; the link
    assert all("ens1" in name for name in standard)


def test_the_order_is_the_kernels(machine: Machine) -> None:
    names = [f"veth{number}" for number in range(2, 20)]
    for name in names:
        put_interface(machine.sysfs, name, VETH)
    machine.lines = {name: list(range(16)) for name in names}
    machine.show()
    bench = Bench(Network, machine.directory)
    values = bench.run("virtual")
    assert list(dict.fromkeys(key.partition("interface=")[2].partition(",")[0].rstrip("}") for key in values)) == names
    bench.runner.close()


def test_the_port_is_a_device_and_the_veth_is_none(bench: Bench) -> None:
    (device,) = bench.host.devices.current.values()
    assert (device.id, device.kind, device.missed) == ("interface:0000:1a:00.0", "interface", True)
    assert device.parent == "0000:1a:00.0"
    assert bench.infos() == {
        "hw_network_info{interface=ens1,kind=physical,address=94:6d:ae:5c:1a:00,driver=mlx5_core,pci=0000:1a:00.0,"
        "numa_node=1,duplex=full,master=}"
    }
    assert bench.events() == []


def test_a_link_goes_down_and_comes_up(bench: Bench, machine: Machine) -> None:
    put(machine.port, {"operstate": "down", "carrier_changes": 3, "speed": -1, "duplex": "unknown"})
    values = run(bench)
    assert values["hw_network_up{interface=ens1}"] == 0
    assert "hw_network_speed_bytes_per_second{interface=ens1}" not in values
    assert happened(bench) == [(EventKind.LINK_DOWN, Severity.WARNING)], "what was negotiated stays a fact"
    put(machine.port, {"operstate": "up", "carrier_changes": 4, "speed": 400000, "duplex": "full"})
    run(bench)
    assert happened(bench)[1:] == [(EventKind.LINK_UP, Severity.INFO)]


def test_a_link_that_somebody_switched_off_wakes_nobody(bench: Bench, machine: Machine) -> None:
    put(machine.port, {"operstate": "down", "flags": "0x1002"})
    bench.run()
    assert happened(bench) == [(EventKind.LINK_DOWN, Severity.INFO)]


def test_a_flap_between_two_looks(bench: Bench, machine: Machine) -> None:
    put(machine.port, {"carrier_changes": 4})
    bench.run()
    assert happened(bench) == [(EventKind.LINK_DOWN, Severity.WARNING)]


def test_flaps_are_what_is_wrong(bench: Bench, machine: Machine) -> None:
    bench.host.runners = {"network": bench.runner}
    for changes in (3, 4, 5, 6):
        assert evaluate(bench.host, [FLAPPING]) == []
        put(machine.port, {"carrier_changes": changes})
        bench.run()
    (finding,) = evaluate(bench.host, [FLAPPING])
    assert finding.text == "interface ens1 lost and found its carrier: 4 changes in an hour"


def test_a_driver_that_does_not_know_is_neither_up_nor_down(bench: Bench, machine: Machine) -> None:
    put(machine.port, {"operstate": "unknown"})
    assert "hw_network_up{interface=ens1}" not in bench.run()
    assert bench.events() == []


def test_a_speed_that_fell_is_an_event(bench: Bench, machine: Machine) -> None:
    put(machine.port, {"speed": 100000})
    bench.run("facts")
    (event,) = bench.events()
    assert event.kind is EventKind.DEVICE_CHANGED
    assert event.attributes == {"speed_bytes_per_second": "50000000000 -> 12500000000"}


def test_errors_that_rise_are_an_event(bench: Bench, machine: Machine) -> None:
    machine.lines["ens1"][2] += 3
    machine.lines["veth1"][2] += 3
    machine.show()
    run(bench)
    (event,) = bench.events()
    assert (event.kind, event.device) == (EventKind.ERRORS_ROSE, "interface:0000:1a:00.0")
    assert event.attributes == {"receive_errors": "3", "transmit_errors": "0"}


def test_hot_plug(bench: Bench, machine: Machine) -> None:
    card = put_pci(machine.sysfs, "0000:15:02.0/0000:1b:00.0", CARD)
    put_interface(machine.sysfs, "ens2", {**PORT, "ifindex": 7}, card)
    machine.lines["ens2"] = [7] * 16
    machine.show()
    assert bench.run()["hw_network_receive_bytes_total{interface=ens2}"] == 7
    assert bench.host.devices.current["interface:0000:1b:00.0"].status is Status.PRESENT
    del machine.lines["ens2"]
    machine.show()
    assert "hw_network_receive_bytes_total{interface=ens2}" not in bench.run()
    assert bench.host.devices.current["interface:0000:1b:00.0"].status is Status.LOST
    assert happened(bench) == [(EventKind.DEVICE_ADDED, Severity.INFO), (EventKind.DEVICE_LOST, Severity.WARNING)]


def test_an_interface_that_leaves_between_listing_and_reading(bench: Bench, machine: Machine) -> None:
    (machine.sysfs / "class/net/ens1").unlink()
    (machine.sysfs / "class/net/veth1").unlink()
    values = run(bench)
    assert "hw_network_up{interface=ens1}" not in values
    assert "hw_network_up{interface=veth1}" not in values
    assert values["hw_network_receive_bytes_total{interface=veth1}"] == 100
    assert not any("ens1" in name for name in bench.values("virtual")), "what leaves does not become something else"


def test_a_bond_names_its_members(bench: Bench, machine: Machine) -> None:
    bond = put_interface(machine.sysfs, "bond0", {**PORT, "uevent": "DEVTYPE=bond", "speed": 50000})
    link(machine.port / "master", bond)
    machine.lines["bond0"] = [1] * 16
    machine.show()
    run(bench)
    devices = bench.host.devices.current
    assert devices["interface:0000:1a:00.0"].facts["master"] == "bond0"
    assert (devices["interface:bond0"].facts["kind"], devices["interface:bond0"].missed) == ("bond", False)
    assert "hw_network_up{interface=bond0}" in bench.values("virtual")


def test_ports_that_share_a_function_are_devices_of_their_own(bench: Bench, machine: Machine) -> None:
    for name, files in {"ens1d1": {**PORT, "dev_port": 1}, "ens1child": PORT}.items():
        put_interface(machine.sysfs, name, files, machine.card)
        machine.lines[name] = [1] * 16
    machine.show()
    run(bench)
    function = "interface:0000:1a:00.0"
    assert set(bench.host.devices.current) == {function, f"{function}/1", f"{function}/ens1child"}


def test_a_broken_line_costs_one_interface(bench: Bench, machine: Machine) -> None:
    machine.lines["ens1"] = [1, 2, 3]
    machine.show()
    values = run(bench)
    assert "hw_network_receive_bytes_total{interface=ens1}" not in values
    assert values["hw_network_receive_bytes_total{interface=veth1}"] == 100
    bench.run()
    assert list(bench.skipped) == ["ens1"]


def test_a_kernel_that_stops_answering_is_asked_by_file(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(Network)
    bench.run()

    def refuse(_self: StatsSocket, _index: int = 0) -> None:
        raise ReadError("rtnetlink RTM_GETSTATS", errno.EPERM)

    monkeypatch.setattr(StatsSocket, "_ask", refuse)
    assert [bench.attempt() for _ in range(4)] == [State.FAILING] * 3 + [State.OK]
    assert any(name.startswith("hw_network_receive_bytes_total") for name in bench.run("virtual"))


def test_garbage_fails_and_recovers(bench: Bench, machine: Machine) -> None:
    put(machine.directory / "proc", {"net/dev": b"\xff\x00\n"})
    assert bench.attempt() is State.FAILING
    machine.show()
    bench.run()


def test_no_network_at_all(tmp_path: Path) -> None:
    assert Bench(Network, tmp_path).attempt() is State.ABSENT


def until_up(name: str) -> None:
    """The kernel's linkwatch runs when it has time for it. Each look takes milliseconds: seconds in all."""
    for _ in range(2000):
        if json.loads(ip("-j", "link", "show", "dev", name))[0]["operstate"] == "UP":
            return
    raise AssertionError(f"{name} did not come up")


@pytest.mark.tier("netns")
@isolated
def test_real_interfaces_come_go_and_change_their_names() -> None:
    bench = Bench(Network)

    def names() -> set[str]:
        values = run(bench)
        return {name.split("=")[1].rstrip("}") for name in values if name.startswith("hw_network_receive_bytes_total")}

    assert names() == {"lo"}
    ip("link", "add", "dev", "veth0", "mtu", "1400", "type", "veth", "peer", "name", "veth1")
    ip("link", "set", "dev", "veth0", "up")
    assert names() == {"lo", "veth0", "veth1"}
    assert bench.values("virtual")["hw_network_up{interface=veth0}"] == 0
    assert bench.values("virtual")["hw_network_mtu_bytes{interface=veth0}"] == 1400
    ip("link", "set", "dev", "veth1", "up")
    until_up("veth0")
    assert bench.run("virtual")["hw_network_up{interface=veth0}"] == 1
    ip("link", "set", "dev", "veth1", "down")
    ip("link", "set", "dev", "veth1", "name", "renamed1")
    bench.run("facts")
    assert names() == {"lo", "veth0", "renamed1"}
    before = bench.run("virtual")
    theirs = {link["ifname"]: link["stats64"] for link in json.loads(ip("-j", "-s", "link"))}
    after = bench.run("virtual")
    assert theirs.keys() == {"lo", "veth0", "renamed1"}
    for name, told in theirs.items():
        series = f"hw_network_transmit_packets_total{{interface={name}}}"
        assert before[series] <= told["tx"]["packets"] <= after[series]
    ip("link", "del", "dev", "veth0")
    assert names() == {"lo"}
    bench.runner.close()


@pytest.mark.tier("netns")
@isolated
def test_interfaces_that_come_and_go_leave_nothing_behind() -> None:
    bench = Bench(Network)

    def churn(rounds: int) -> tuple[int, int, int]:
        for number in range(rounds):
            ip("link", "add", "dev", f"churn{number}", "type", "veth", "peer", "name", f"other{number}")
            run(bench)
            ip("link", "del", "dev", f"churn{number}")
        run(bench)
        collector = bench.runner._collector
        assert isinstance(collector, Network)
        return len(os.listdir("/proc/self/fd")), len(collector.interfaces), len(bench.host.devices.current)

    assert churn(3) == churn(30)
    bench.runner.close()
