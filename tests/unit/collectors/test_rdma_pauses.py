# SPDX-License-Identifier: MIT
"""Pauses, discards and ECN marks by priority, from the drivers of the network interfaces of RoCE ports."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwinfod.collectors._rdma_pauses import classify
from hwinfod.collectors.rdma import Rdma
from tests.support.bench import Bench
from tests.support.rdma import FakeDevice, RdmaHost
from tests.support.sysfs import link, put, put_interface, put_pci

GUID = 0x98039BFFFE123456


@pytest.fixture
def rdma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RdmaHost:
    host = RdmaHost(tmp_path, monkeypatch)
    host.add(FakeDevice("mlx5_0", 0, GUID, hw={"out_of_buffer": 0}))
    return host


@pytest.fixture
def bench(tmp_path: Path, rdma: RdmaHost) -> Bench:
    return Bench(Rdma, tmp_path)


PAUSES = {"rx_prio3_pause": 5, "rx_prio3_pause_duration": 2_500_000, "tx_prio3_pause": 1, "rx_prio3_buf_discard": 2}


def test_pauses_by_priority(rdma, bench):
    rdma.add(FakeDevice("mlx5_1", 1, GUID + 16, netdev="ens1np0", link_layer="Ethernet"))
    rdma.ethtool.statistics["ens1np0"] = {"rx_packets": 9, **PAUSES, "rx_prio3_cong_discard": 3}
    bench.run()
    values = bench.run("pauses")
    at = "device=mlx5_1,port=1,priority=3"
    assert values == {
        f"hw_rdma_priority_receive_pauses_total{{{at}}}": 5,
        f"hw_rdma_priority_receive_pause_seconds_total{{{at}}}": 2.5,
        f"hw_rdma_priority_transmit_pauses_total{{{at}}}": 1,
        f"hw_rdma_priority_discards_total{{{at}}}": 5,
    }
    del rdma.ethtool.statistics["ens1np0"]
    assert bench.run("pauses") == {}
    assert bench.skipped == {}


def test_a_discarded_packet_is_counted_once(rdma, bench):
    """mlx5 counts it for its reason, and among all of its priority; of priority 4 it has the reasons alone."""
    rdma.add(FakeDevice("mlx5_1", 1, GUID + 16, netdev="ens1np0", link_layer="Ethernet"))
    reasons = {"buf_discard": 2, "cong_discard": 3}
    rdma.ethtool.statistics["ens1np0"] = {
        **{f"rx_prio{priority}_{reason}": count for priority in (3, 4) for reason, count in reasons.items()},
        "rx_prio3_discards": 6,
    }
    bench.run()
    assert bench.run("pauses") == {
        "hw_rdma_priority_discards_total{device=mlx5_1,port=1,priority=3}": 6,
        "hw_rdma_priority_discards_total{device=mlx5_1,port=1,priority=4}": 5,
    }


@pytest.fixture
def bond(tmp_path, rdma):
    """Two functions of one card and one of another one, bonded, each with pauses of its own; the card's RDMA device
    is on the first function."""
    sysfs = tmp_path / "sys"
    put(sysfs / "class/net/bond0", {"bonding/slaves": "eth0 eth1 eth2"})
    for number, function in enumerate(("01.0/0000:41:00.0", "01.0/0000:41:00.1", "02.0/0000:61:00.0")):
        pci = put_pci(sysfs, f"0000:00:{function}", {})
        link(put_interface(sysfs, f"eth{number}", {}, pci) / "master", sysfs / "class/net/bond0")
        rdma.ethtool.statistics[f"eth{number}"] = {"rx_prio3_pause": 10**number, "rx_prio3_discards": 1}
    link(sysfs / "class/infiniband/mlx5_1/device", sysfs / "devices/pci0000:00/0000:00:01.0/0000:41:00.0")
    return sysfs / "devices/pci0000:00/0000:00:01.0/0000:41:00.1/infiniband"


@pytest.mark.parametrize("interface", ["bond0", "eth0"])
def test_a_card_that_bonds_its_functions_has_the_pauses_of_all_of_them(rdma, bench, bond, interface):
    """The kernel names the bond or one of its parts."""
    rdma.add(FakeDevice("mlx5_1", 1, GUID + 16, netdev=interface, link_layer="Ethernet"))
    bench.run()
    at = "device=mlx5_1,port=1,priority=3"
    assert bench.run("pauses") == {
        f"hw_rdma_priority_receive_pauses_total{{{at}}}": 11,
        f"hw_rdma_priority_discards_total{{{at}}}": 2,
    }
    del rdma.ethtool.statistics["eth1"]
    assert bench.run("pauses") == {}  # and no sum that falls


def test_functions_that_are_bonded_and_have_an_rdma_device_each_keep_their_pauses(rdma, bench, bond):
    put(bond, {"mlx5_2/node_type": "1: CA"})
    rdma.add(FakeDevice("mlx5_1", 1, GUID + 16, netdev="eth0", link_layer="Ethernet"))
    bench.run()
    assert bench.run("pauses")["hw_rdma_priority_receive_pauses_total{device=mlx5_1,port=1,priority=3}"] == 1


def test_soft_roce_over_a_bond_has_all_its_parts(tmp_path, rdma, bench):
    put(tmp_path / "sys/class/net/bond0", {"bonding/slaves": "eth0 eth1"})
    rdma.ethtool.statistics |= {"eth0": dict(PAUSES), "eth1": dict(PAUSES)}
    rdma.add(FakeDevice("rxe0", 1, GUID + 16, netdev="bond0", link_layer="Ethernet"))
    bench.run()
    assert bench.run("pauses")["hw_rdma_priority_receive_pauses_total{device=rxe0,port=1,priority=3}"] == 10


def test_an_interface_that_is_renamed_is_followed(rdma, bench):
    device = rdma.add(FakeDevice("mlx5_1", 1, GUID + 16, netdev="eth0", link_layer="Ethernet"))
    rdma.ethtool.statistics["ens1np0"] = dict(PAUSES)
    bench.run()
    assert bench.run("pauses") == {}
    device.netdev = "ens1np0"
    rdma.show()
    bench.run("facts")
    assert len(bench.run("pauses")) == 4


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("rx_prio0_pause", "hw_rdma_priority_receive_pauses_total"),
        ("tx_prio7_pause_duration", "hw_rdma_priority_transmit_pause_seconds_total"),
        ("pfc_pri4_tx_duration_us", "hw_rdma_priority_transmit_pause_seconds_total"),
        ("rx_priority_1_xoff.nic", "hw_rdma_priority_receive_pauses_total"),
        ("rx_prio0_marked", "hw_rdma_priority_ecn_marked_total"),
    ],
)
def test_statistics_of_other_drivers(name, family):
    found = classify(name)
    assert found is not None
    assert found[0].name == family


@pytest.mark.parametrize("name", ["rx_prio0_pause_transition", "rx_prio0_bytes", "rx_prio10_pause", "pause", ""])
def test_statistics_that_are_none_of_ours(name):
    assert classify(name) is None
