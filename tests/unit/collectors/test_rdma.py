# SPDX-License-Identifier: MIT
"""Ports, counters, links and devices that come and go."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from hwinfod.collectors.rdma import CHECKS, Rdma
from hwinfod.core.check import evaluate
from hwinfod.core.device import Status
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.health import State
from tests.support.bench import Bench
from tests.support.netlink import reply, u8, u32
from tests.support.rdma import FakeDevice, RdmaHost
from tests.support.sysfs import link, put, put_interface, put_pci

GUID = 0x98039BFFFE123456
HW = {"local_ack_timeout_err": 0, "packet_seq_err": 2, "np_cnp_sent": 7, "rnr_nak_retry_err": 0, "rx_write_requests": 9}
PMA = {"port_rcv_data": 1000, "port_xmit_data": 500, "port_xmit_wait": 3, "symbol_error": 1, "link_downed": 0}
AT = "device=mlx5_0,port=1"
DEVICE = "rdma:9803:9bff:fe12:3456"


@pytest.fixture
def rdma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RdmaHost:
    host = RdmaHost(tmp_path, monkeypatch)
    host.add(FakeDevice("mlx5_0", 0, GUID, hw=dict(HW), counters=dict(PMA)))
    return host


@pytest.fixture
def bench(tmp_path: Path, rdma: RdmaHost) -> Bench:
    return Bench(Rdma, tmp_path)


def texts(bench: Bench, kind: EventKind) -> list[str]:
    return [event.text for event in bench.events() if event.kind is kind]


def test_state_rate_and_traffic(bench):
    values = bench.run()
    assert values[f"hw_rdma_port_up{{{AT}}}"] == 1
    assert values[f"hw_rdma_port_state{{{AT}}}"] == 4
    assert values[f"hw_rdma_port_physical_state{{{AT}}}"] == 5
    assert values[f"hw_rdma_port_rate_bytes_per_second{{{AT}}}"] == 25e9
    assert values[f"hw_rdma_port_receive_bytes_total{{{AT}}}"] == 4000  # counted in words
    assert values[f"hw_rdma_port_transmit_bytes_total{{{AT}}}"] == 2000
    assert values[f"hw_rdma_port_transmit_wait_total{{{AT}}}"] == 3
    assert f"hw_rdma_port_receive_packets_total{{{AT}}}" not in values


def test_every_counter_under_its_own_name_and_some_in_families(bench):
    values = bench.run()
    for name, value in HW.items():
        assert values[f"hw_rdma_hw_counter_total{{{AT},counter={name}}}"] == value
    assert values[f"hw_rdma_hw_counter_total{{{AT},counter=port_rcv_data}}"] == 4000
    assert values[f"hw_rdma_retransmits_total{{{AT},cause=sequence_error}}"] == 2
    assert values[f"hw_rdma_congestion_total{{{AT},kind=cnp_sent}}"] == 7
    assert values[f"hw_rdma_port_errors_total{{{AT},error=symbol_error}}"] == 1
    assert values[f"hw_rdma_port_errors_total{{{AT},error=rnr_nak_retry_err}}"] == 0


def test_counters_of_a_whole_device_have_no_port(tmp_path, rdma, bench):
    put(tmp_path / "sys/class/infiniband/mlx5_0/hw_counters", {"lifespan": 10, "completed_cmds": 12})
    values = bench.run()
    assert values["hw_rdma_hw_counter_total{device=mlx5_0,port=,counter=completed_cmds}"] == 12
    assert not any("lifespan" in name for name in values)


def test_without_netlink_sysfs_says_the_same(tmp_path, rdma, bench):
    over_netlink = bench.run()
    rdma.has_netlink = False
    over_sysfs = Bench(Rdma, tmp_path).run()
    resources = {name for name in over_netlink if name.startswith("hw_rdma_resources")}
    assert over_sysfs == {name: value for name, value in over_netlink.items() if name not in resources}
    assert len(resources) == 7


def test_a_sysfs_of_another_place_is_not_mixed_with_this_kernels_netlink(rdma, bench):
    rdma.devices["mlx5_0"].hw = {"of_another_machine": 1}
    rdma.devices["mlx5_0"].guid += 1  # what netlink says from now on; sysfs keeps the old one
    values = bench.run()
    assert not any("of_another_machine" in name for name in values)
    assert values[f"hw_rdma_hw_counter_total{{{AT},counter=np_cnp_sent}}"] == 7


def test_an_optional_counter_that_is_switched_on(rdma, bench):
    bench.run()
    rdma.devices["mlx5_0"].hw = {**HW, "cc_rx_ce_pkts": 5}
    values = bench.run()
    assert values[f"hw_rdma_hw_counter_total{{{AT},counter=cc_rx_ce_pkts}}"] == 5
    assert values[f"hw_rdma_hw_counter_total{{{AT},counter=rx_write_requests}}"] == 9


def test_a_device_without_counters_costs_only_itself(rdma, bench):
    rdma.add(FakeDevice("siw0", 1, 0x0200000000000001))
    values = bench.run()
    assert values["hw_rdma_port_up{device=siw0,port=1}"] == 1
    assert not any("siw0" in name and "counter_total" in name for name in values)
    assert values[f"hw_rdma_hw_counter_total{{{AT},counter=np_cnp_sent}}"] == 7
    assert bench.skipped == {}
    rdma.questions.clear()
    bench.run()
    assert rdma.questions.count("STAT_GET") == 1  # siw0 is not asked again and again


def test_more_counters_than_fit_a_message_are_read_from_files(rdma, bench):
    rdma.devices["mlx5_0"].refuses["STAT_GET"] = errno.EMSGSIZE
    values = bench.run()
    assert values[f"hw_rdma_hw_counter_total{{{AT},counter=rx_write_requests}}"] == 9
    assert bench.skipped == {}


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EBUSY])
def test_counters_that_netlink_refuses_once_come_from_files_until_it_is_asked_again(rdma, bench, number):
    device = rdma.devices["mlx5_0"]
    device.hw = {"rx_write_requests": 9, "rnr_nak_retry_err": 0}  # not in the order of a directory
    rdma.show()
    bench.run()
    device.refuses["STAT_GET"] = number
    device.hw["rnr_nak_retry_err"] = 1
    rdma.show()
    assert bench.run()[f"hw_rdma_hw_counter_total{{{AT},counter=rx_write_requests}}"] == 9
    assert len(texts(bench, EventKind.ERRORS_ROSE)) == 1
    device.refuses.clear()
    bench.run("facts")
    device.hw |= {"rx_write_requests": 10, "rnr_nak_retry_err": 3}  # not in the files
    assert bench.run()[f"hw_rdma_hw_counter_total{{{AT},counter=rx_write_requests}}"] == 10
    assert [event.count for event in bench.events() if event.kind is EventKind.ERRORS_ROSE] == [2]
    assert bench.skipped == {}


def test_too_many_counters_for_a_message_stay_too_many(rdma, bench):
    rdma.devices["mlx5_0"].refuses["STAT_GET"] = errno.EMSGSIZE
    bench.run()
    bench.run("facts")
    rdma.questions.clear()
    bench.run()
    assert "STAT_GET" not in rdma.questions


def test_a_port_whose_driver_fails_keeps_the_others(rdma, bench):
    rdma.add(FakeDevice("mlx5_1", 1, GUID + 16, hw=dict(HW), counters=dict(PMA), refuses={"STAT_GET": errno.EIO}))
    values = bench.run()
    assert values["hw_rdma_port_up{device=mlx5_1,port=1}"] == 1
    assert not any("mlx5_1" in name and "counter_total" in name for name in values)
    assert f"hw_rdma_hw_counter_total{{{AT},counter=np_cnp_sent}}" in values
    assert "Input/output error" in bench.skipped["mlx5_1/1"]
    rdma.devices["mlx5_1"].refuses.clear()
    values = bench.run()
    assert values["hw_rdma_hw_counter_total{device=mlx5_1,port=1,counter=np_cnp_sent}"] == 7


def test_missing_counters_are_absent_not_zero(rdma, bench):
    rdma.devices["mlx5_0"].counters = {**PMA, "port_xmit_wait": "N/A (no PMA)"}
    rdma.show()
    values = bench.run()
    assert f"hw_rdma_port_transmit_wait_total{{{AT}}}" not in values


def test_a_link_goes_down_and_comes_back(rdma, bench):
    bench.run()
    device = rdma.devices["mlx5_0"]
    device.state, device.physical_state = 1, 2
    values = bench.run()
    assert values[f"hw_rdma_port_up{{{AT}}}"] == 0
    device.state, device.physical_state = 4, 5
    bench.run(after=12.0)
    assert texts(bench, EventKind.LINK_DOWN) == ["RDMA port mlx5_0/1 is down"]
    assert texts(bench, EventKind.LINK_UP) == ["RDMA port mlx5_0/1 is up after 12 s"]
    (up,) = [event for event in bench.events() if event.kind is EventKind.LINK_UP]
    assert (up.device, up.attributes["down_seconds"]) == (f"{DEVICE}/1", "12.0")


def test_what_is_down_from_the_start_is_no_event(rdma, bench):
    rdma.devices["mlx5_0"].state = 1
    bench.run()
    bench.run()
    assert texts(bench, EventKind.LINK_DOWN) == []


def test_a_link_lost_between_two_looks_is_seen(rdma, bench):
    bench.run()
    rdma.devices["mlx5_0"].counters["link_downed"] = 1
    rdma.show()
    values = bench.run()
    assert values[f"hw_rdma_link_transitions_total{{{AT}}}"] == 1
    assert texts(bench, EventKind.LINK_DOWN) == ["RDMA port mlx5_0/1 lost its link and has it back"]


def test_a_link_that_flaps_is_critical(rdma, bench):
    bench.run()
    for losses in (1, 2, 4):
        rdma.devices["mlx5_0"].counters["link_downed"] = losses
        rdma.show()
        bench.run()
    flaps = [event for event in bench.events() if "flaps" in event.text]
    assert [event.severity for event in flaps] == [Severity.CRITICAL]
    bench.host.runners = {"rdma": bench.runner}
    assert [finding.check.name for finding in evaluate(bench.host, CHECKS)] == ["rdma_link_flaps"]


def test_a_roce_port_counts_by_its_interface(tmp_path, rdma, bench):
    rdma.add(FakeDevice("rxe0", 3, 0x1CDC01FFFE62E54C, netdev="veth0", link_layer="Ethernet", hw={"sent_pkts": 5}))
    put(tmp_path / "sys/class/net/veth0", {"carrier_down_count": 2})
    values = bench.run()
    assert values["hw_rdma_link_transitions_total{device=rxe0,port=1}"] == 2
    assert values["hw_rdma_port_transmit_packets_total{device=rxe0,port=1}"] == 5
    assert (
        "hw_rdma_port_info{device=rxe0,port=1,link_layer=Ethernet,guid=1cdc:01ff:fe62:e54c,lid=,netdev=veth0,pci=,"
        "numa_node=,firmware=28.43}"
    ) in bench.infos()


def test_an_iwarp_port_has_the_interface_that_netlink_tells(tmp_path, rdma, bench):
    put(tmp_path / "sys/class/net/iwarp0", {"carrier_down_count": 4})
    rdma.add(FakeDevice("siw0", 1, 0x0200000000000001, told_netdev="iwarp0", link_layer="Ethernet"))
    assert bench.run()["hw_rdma_link_transitions_total{device=siw0,port=1}"] == 4
    assert bench.host.devices.current["rdma:0200:0000:0000:0001/1"].facts["netdev"] == "iwarp0"


def test_an_interface_in_another_namespace_is_not_the_hosts_of_that_name(tmp_path, rdma, bench):
    """A pod has the interface of a RoCE device as eth0, and the host has an eth0 of its own."""
    device = FakeDevice("mlx5_1", 1, GUID + 16, netdev="eth0", told_netdev="", link_layer="Ethernet", hw=dict(HW))
    sysfs = tmp_path / "sys"
    link(sysfs / "class/infiniband/mlx5_1/device", put_pci(sysfs, "0000:00:01.0/0000:41:00.0", {}))
    put_interface(sysfs, "eth0", {"carrier_down_count": 7}, put_pci(sysfs, "0000:00:02.0/0000:42:00.0", {}))
    rdma.ethtool.statistics["eth0"] = {"rx_prio3_pause": 99}
    rdma.add(device)
    values = bench.run()
    assert "hw_rdma_link_transitions_total{device=mlx5_1,port=1}" not in values
    assert bench.host.devices.current["rdma:9803:9bff:fe12:3466/1"].facts["netdev"] == ""
    assert bench.run("pauses") == {}
    device.told_netdev = None  # the pod ended
    bench.run("facts")
    assert bench.run()["hw_rdma_link_transitions_total{device=mlx5_1,port=1}"] == 7


def test_before_netlink_told_interfaces_the_pci_function_confirms_them(tmp_path, rdma, bench):
    """Linux 4.14 to 4.17."""
    sysfs = tmp_path / "sys"
    pci = put_pci(sysfs, "0000:00:01.0/0000:41:00.0", {})
    link(sysfs / "class/infiniband/mlx5_1/device", pci)
    put_interface(sysfs, "ens1np0", {"carrier_down_count": 7}, pci)
    rdma.add(FakeDevice("mlx5_1", 1, GUID + 16, netdev="ens1np0", told_netdev="", link_layer="Ethernet"))
    assert bench.run()["hw_rdma_link_transitions_total{device=mlx5_1,port=1}"] == 7


def test_an_interface_stays_while_the_driver_refuses_once(tmp_path, rdma, bench):
    put(tmp_path / "sys/class/net/veth0", {"carrier_down_count": 2})
    device = rdma.add(FakeDevice("rxe0", 3, 0x1CDC01FFFE62E54C, netdev="veth0", link_layer="Ethernet"))
    bench.run()
    device.refuses["PORT_GET"] = errno.EBUSY
    bench.run("facts")
    assert bench.host.devices.current["rdma:1cdc:01ff:fe62:e54c/1"].facts["netdev"] == "veth0"


def test_a_counter_that_must_never_rise(rdma, bench):
    bench.run()
    rdma.devices["mlx5_0"].hw["rnr_nak_retry_err"] = 1
    bench.run()
    (event,) = [event for event in bench.events() if event.kind is EventKind.ERRORS_ROSE]
    assert event.severity is Severity.CRITICAL
    assert "mlx5_0/1: rnr_nak_retry_err rose by 1 in 1 s" in event.text
    assert event.attributes["counter"] == "rnr_nak_retry_err"


def test_a_counter_may_rise_slowly(rdma, bench):
    bench.run()
    for timeouts in range(1, 11):
        rdma.devices["mlx5_0"].hw["local_ack_timeout_err"] = timeouts  # one a second is not more than one
        bench.run()
    assert texts(bench, EventKind.ERRORS_ROSE) == []
    rdma.devices["mlx5_0"].hw["local_ack_timeout_err"] = 40
    for _ in range(10):
        bench.run()
    assert len(texts(bench, EventKind.ERRORS_ROSE)) == 1


def test_a_counter_that_was_reset_is_no_error(rdma, bench):
    rdma.devices["mlx5_0"].hw["rnr_nak_retry_err"] = 50
    bench.run()
    rdma.devices["mlx5_0"].hw["rnr_nak_retry_err"] = 0
    bench.run()
    assert texts(bench, EventKind.ERRORS_ROSE) == []


def test_flushed_completions_are_no_errors(rdma, bench):
    device = rdma.devices["mlx5_0"]
    device.hw |= {"req_cqe_error": 0, "req_cqe_flush_error": 0}
    bench.run()
    device.hw |= {"req_cqe_error": 500, "req_cqe_flush_error": 500}
    for _ in range(11):
        bench.run()
    assert texts(bench, EventKind.ERRORS_ROSE) == []
    device.hw |= {"req_cqe_error": 1000}
    for _ in range(11):
        bench.run()
    assert len(texts(bench, EventKind.ERRORS_ROSE)) == 1


def test_a_saturated_counter_is_said(rdma, bench):
    rdma.devices["mlx5_0"].counters["symbol_error"] = 0xFFFF
    rdma.show()
    bench.run()
    bench.run()
    assert bench.run()[f"hw_rdma_port_saturated_counters{{{AT}}}"] == 1
    bench.host.runners = {"rdma": bench.runner}
    assert [finding.check.name for finding in evaluate(bench.host, CHECKS)] == ["rdma_counter_saturated"]


def test_devices_come_and_go(rdma, bench):
    bench.run()
    rdma.add(FakeDevice("mlx5_1", 1, GUID + 16, hw=dict(HW)))
    assert "hw_rdma_port_up{device=mlx5_1,port=1}" in bench.run()
    rdma.remove("mlx5_1")
    assert "hw_rdma_port_up{device=mlx5_1,port=1}" not in bench.run()
    lost = {id_ for id_, device in bench.host.devices.current.items() if device.status is Status.LOST}
    assert lost == {"rdma:9803:9bff:fe12:3466", "rdma:9803:9bff:fe12:3466/1"}
    assert len(texts(bench, EventKind.DEVICE_LOST)) == 2


def test_a_device_that_came_back_under_another_number(rdma, bench):
    bench.run()
    rdma.devices["mlx5_0"].index = 7  # between two ticks, so that the directory looks as before
    assert f"hw_rdma_port_up{{{AT}}}" not in bench.run()
    assert bench.skipped == {}
    assert bench.run()[f"hw_rdma_hw_counter_total{{{AT},counter=np_cnp_sent}}"] == 7
    assert bench.skipped == {}


def test_a_port_that_the_driver_does_not_know_is_said(rdma, bench):
    bench.run()
    rdma.devices["mlx5_0"].refuses["PORT_GET"] = errno.EINVAL
    bench.run()
    bench.run()
    assert "PORT_GET" in bench.skipped["mlx5_0/1"]
    rdma.questions.clear()
    bench.run()
    assert "GET" not in rdma.questions  # and costs no look at all devices every second
    assert "PORT_GET" in bench.skipped["mlx5_0/1"]


def test_the_kernel_says_that_something_changed(tmp_path, rdma):
    rdma.monitor = True
    bench = Bench(Rdma, tmp_path)
    bench.run()
    rdma.devices["mlx5_0"].index = 7
    rdma.notifications.queue.append(reply("MONITOR", u8("EVENT_TYPE", 0) + u32("DEV_INDEX", 7), sequence=0))
    assert bench.run()[f"hw_rdma_hw_counter_total{{{AT},counter=np_cnp_sent}}"] == 7
    assert bench.skipped == {}


def test_an_overrun_of_notifications_is_a_look_around(tmp_path, rdma):
    rdma.monitor = True
    bench = Bench(Rdma, tmp_path)
    bench.run()
    rdma.questions.clear()
    rdma.notifications.queue.append(OSError(errno.ENOBUFS, ""))
    bench.run()
    assert "GET" in rdma.questions
    rdma.questions.clear()
    rdma.notifications.queue.append(b"garbage")
    bench.run()
    assert "GET" in rdma.questions


def test_the_last_device_leaves(rdma, bench):
    bench.run()
    rdma.remove("mlx5_0")
    assert bench.attempt() is State.ABSENT
    assert bench.host.devices.current[DEVICE].status is Status.LOST
    assert bench.host.holdings.current == {}


def test_a_host_without_devices_is_absent(tmp_path):
    assert Bench(Rdma, tmp_path).attempt() is State.ABSENT


@pytest.mark.parametrize(("mode", "word"), [(0, "exclusive"), (1, "shared")])
def test_network_namespaces_are_told(tmp_path, rdma, mode, word):
    rdma.netns_mode = mode
    bench = Bench(Rdma, tmp_path)
    bench.run()
    assert f"hw_rdma_system_info{{netns_mode={word}}}" in bench.infos()


def test_network_namespaces_that_become_exclusive_while_we_run(rdma, bench):
    bench.run()
    rdma.netns_mode = 0
    assert bench.attempt("facts", after=10) is State.OK
    assert [info for info in bench.infos() if "netns_mode" in info] == ["hw_rdma_system_info{netns_mode=exclusive}"]


def test_devices_with_one_guid_keep_their_names(tmp_path, rdma, bench):
    rdma.add(FakeDevice("mlx5_1", 1, GUID))
    bench.run()
    assert {"rdma:mlx5_0", "rdma:mlx5_1"} <= set(bench.host.devices.current)


def test_totals_are_the_kernels(rdma, bench):
    from tests.support.rdma import mr, qp

    rdma.devices["mlx5_0"].objects = {"qp": [qp(1, "ib_core"), qp(2, 4711)], "mr": [mr(1, 4711, 64)]}
    values = bench.run()
    assert values["hw_rdma_resources{device=mlx5_0,type=qp}"] == 2
    assert values["hw_rdma_resources{device=mlx5_0,type=mr}"] == 1
    assert values["hw_rdma_resources{device=mlx5_0,type=srq}"] == 0
