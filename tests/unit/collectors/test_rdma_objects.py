# SPDX-License-Identifier: MIT
"""Who holds which RDMA objects: scans in steps, threads and processes, bound counters, pauses by priority."""

from __future__ import annotations

import errno
import itertools
import shutil
from pathlib import Path

import pytest

from hwinfod.collectors import _rdma_holders
from hwinfod.collectors.rdma import Rdma
from hwinfod.core.event import EventKind
from hwinfod.core.holding import Holding
from hwinfod.sources.nldev.client import Client
from hwinfod.sources.nldev.enums import COMMAND, message_type
from tests.support.bench import Bench
from tests.support.netlink import INTERRUPTED, MULTI, Kernel, done, reply
from tests.support.rdma import FakeDevice, RdmaHost, bound, cm_id, mr, plain, qp

GUID = 0x98039BFFFE123456
DEVICE = "rdma:9803:9bff:fe12:3456"


@pytest.fixture
def rdma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RdmaHost:
    host = RdmaHost(tmp_path, monkeypatch)
    host.add(FakeDevice("mlx5_0", 0, GUID, hw={"out_of_buffer": 0}))
    host.process(4711, threads=(4713,), start=1000)
    host.process(4800, start=2000)
    return host


@pytest.fixture
def bench(tmp_path: Path, rdma: RdmaHost) -> Bench:
    return Bench(Rdma, tmp_path)


def scan(bench: Bench) -> dict[str, int | float]:
    bench.run()
    return bench.run("resources")


def holdings(bench: Bench) -> dict[int | str, Holding]:
    batch = bench.host.holdings.current[DEVICE]
    return {holding.pid or holding.kernel: holding for holding in batch.holdings}


def test_objects_become_holdings_of_processes_and_kernel_users(rdma, bench):
    rdma.devices["mlx5_0"].objects = {
        "qp": [qp(9, 4711), qp(10, 4711, state=0), qp(11, 4800, state=6), qp(1, "ib_core", kind=1)],
        "mr": [mr(1, 4711, 4096), mr(2, 4711, 2**40)],
        "cq": [plain("cq", 1, 4711), plain("cq", 2, "ib_core")],
        "pd": [plain("pd", 1, 4711)],
        "ctx": [plain("ctx", 1, 4711)],
        "srq": [plain("srq", 1, 4800)],
        "cm_id": [cm_id(1, 4711, "10.9.0.2:7174"), cm_id(2, 4711, "0.0.0.0:0", state=8)],
    }
    scan(bench)
    held = holdings(bench)
    assert held[4711].amounts == {
        "qps": 2, "qps_state_rts": 1, "qps_state_reset": 1, "qps_type_rc": 2,
        "mrs": 2, "mr_bytes": 4096 + 2**40, "cqs": 1, "pds": 1, "contexts": 1, "cm_ids": 2,
    }  # fmt: skip
    assert (held[4711].start_time_ticks, held[4711].peers) == (1000, ("10.9.0.2:7174",))
    assert held[4800].amounts == {"qps": 1, "qps_state_err": 1, "qps_type_rc": 1, "qp_errors": 1, "srqs": 1}
    assert held["ib_core"].amounts == {"qps": 1, "qps_state_rts": 1, "qps_type_gsi": 1, "cqs": 1}
    assert (held["ib_core"].pid, held["ib_core"].start_time_ticks) == (0, 0)


def test_a_thread_made_it_and_its_process_holds_it(rdma, bench):
    rdma.devices["mlx5_0"].objects = {"qp": [qp(9, 4711)], "ctx": [plain("ctx", 3, 4713)]}
    scan(bench)
    assert {pid: dict(h.amounts) for pid, h in holdings(bench).items()} == {
        4711: {"qps": 1, "qps_state_rts": 1, "qps_type_rc": 1, "contexts": 1}
    }


def test_what_nobody_may_see_is_in_the_totals(rdma, bench):
    rdma.devices["mlx5_0"].objects = {"qp": [qp(9, 4711), qp(10, 0), qp(11, 0)]}
    scan(bench)
    batch = bench.host.holdings.current[DEVICE]
    assert batch.totals["qps"] == 3
    assert [holding.amounts["qps"] for holding in batch.holdings] == [1]


def test_a_holder_that_ended_meanwhile_keeps_its_number(rdma, bench):
    rdma.devices["mlx5_0"].objects = {"qp": [qp(9, 5555)]}
    scan(bench)
    assert holdings(bench)[5555].start_time_ticks == 0


def test_figures_of_the_device(rdma, bench):
    rdma.devices["mlx5_0"].objects = {
        "qp": [qp(9, 4711), qp(10, 4711), qp(1, "ib_core", kind=1)],
        "mr": [mr(1, 4711, 64)],
    }
    values = scan(bench)
    assert values["hw_rdma_qps{device=mlx5_0,type=RC,state=RTS}"] == 2
    assert values["hw_rdma_qps{device=mlx5_0,type=GSI,state=RTS}"] == 1
    assert values["hw_rdma_mr_bytes{device=mlx5_0}"] == 64
    assert values["hw_rdma_resources_age_seconds"] == 0.0


def test_lists_that_are_empty_are_not_asked_for(rdma, bench):
    rdma.devices["mlx5_0"].objects = {"qp": [qp(9, 4711)]}
    scan(bench)
    assert [question for question in rdma.questions if question.startswith("RES_") and question != "RES_GET"] == [
        "RES_QP_GET"
    ]


def test_a_long_scan_goes_on_at_the_next_ticks(rdma, bench):
    clock = itertools.count()
    rdma.cpu_clock = lambda: next(clock) * 0.021  # a message takes more than a tick's share
    rdma.devices["mlx5_0"].objects = {"qp": [qp(number, 4711) for number in range(6)]}
    assert "hw_rdma_resources_age_seconds" not in scan(bench)
    ticks = 0
    while DEVICE not in bench.host.holdings.current:
        bench.run()
        ticks += 1
        assert ticks < 10
    assert ticks == 4  # two more messages, the process, the device
    assert holdings(bench)[4711].amounts["qps"] == 6
    bench.run()
    # The next scan begins and is not done: what is shown is the last one, and how old it is.
    values = bench.run("resources", after=2.0)
    assert values["hw_rdma_qps{device=mlx5_0,type=RC,state=RTS}"] == 6
    assert values["hw_rdma_resources_age_seconds"] == ticks + 3.0


def test_all_that_a_scan_does_is_done_in_steps(rdma, bench, monkeypatch):
    """Bound counters, lists, the look at each process, and each device when it is known."""
    looked = []
    look = _rdma_holders.read_thread_group
    monkeypatch.setattr(
        _rdma_holders, "read_thread_group", lambda roots, task: looked.append(task) or look(roots, task)
    )
    clock = itertools.count()
    rdma.cpu_clock = lambda: next(clock) * 0.021
    rdma.add(FakeDevice("mlx5_1", 1, GUID + 16, objects={"qp": [qp(9, 4711)]}))
    device = rdma.devices["mlx5_0"]
    device.objects = {"qp": [qp(9, 4711), qp(10, 4800)]}
    device.bound = [bound(number, {"rdma_rx_bytes": 100}, qps=(9,)) for number in range(4)]
    scan(bench)
    published = []
    while len(published) < 9:
        published.append(len(bench.host.holdings.current))
        bench.run()
    # Bound counters took two steps, the list one, two processes one each, and then the first device is told. The
    # second has its list and no process that is new.
    assert published == [0, 0, 0, 0, 0, 1, 1, 2, 2]
    assert sorted(looked) == [4711, 4800]
    assert holdings(bench)[4711].amounts["receive_bytes"] == 400


def test_a_driver_that_sleeps_over_each_part_ends_a_tick_too(rdma, bench, monkeypatch):
    receive, parts = Kernel.receive, []

    def slow(kernel):
        if kernel.requests[-1].type == message_type(COMMAND["RES_QP_GET"]):
            parts.append(1)
            bench.clock.advance(0.019)
        return receive(kernel)

    monkeypatch.setattr(Kernel, "receive", slow)
    rdma.devices["mlx5_0"].objects = {"qp": [qp(number, 4711) for number in range(16)]}
    scan(bench)
    assert len(parts) == 3
    for _ in range(3):
        before = len(parts)
        bench.run()
        assert len(parts) - before <= 3
    assert holdings(bench)[4711].amounts["qps"] == 16


def test_a_list_that_changes_meanwhile_is_not_counted_twice(rdma, bench):
    device = rdma.devices["mlx5_0"]
    device.objects = {"qp": [qp(9, 4711), qp(10, 4711), qp(11, 4711)]}
    whole = rdma._dump
    attempts = []

    def answer(request, sequence):
        datagrams = type(rdma)._answer(rdma, request, sequence)
        if rdma.questions[-1] == "RES_QP_GET":
            attempts.append(1)
            if len(attempts) == 1:
                part = whole("RES_QP_GET", device, {})[0]
                return [reply("RES_QP_GET", part, sequence=sequence, flags=MULTI | INTERRUPTED), done(sequence)]
        return datagrams

    rdma._answer = answer
    scan(bench)
    assert len(attempts) == 2
    assert holdings(bench)[4711].amounts["qps"] == 3


def test_a_kernel_without_the_newer_lists(rdma, bench):
    device = rdma.devices["mlx5_0"]
    device.objects = {"qp": [qp(9, 4711)], "ctx": [plain("ctx", 1, 4711)], "srq": [plain("srq", 1, 4711)]}
    device.refuses = {"RES_CTX_GET": errno.EINVAL, "RES_SRQ_GET": errno.EOPNOTSUPP}
    scan(bench)
    assert holdings(bench)[4711].amounts["qps"] == 1
    assert bench.skipped == {}


def test_a_device_that_fails_costs_itself(rdma, bench):
    rdma.add(FakeDevice("mlx5_1", 1, GUID + 16, objects={"qp": [qp(9, 4800)]}))
    rdma.devices["mlx5_0"].objects = {"qp": [qp(9, 4711)]}
    rdma.devices["mlx5_0"].refuses = {"RES_QP_GET": errno.EIO}
    scan(bench)
    assert list(bench.host.holdings.current) == ["rdma:9803:9bff:fe12:3466"]
    assert "Input/output error" in bench.skipped["mlx5_0 qps"]


def test_a_kind_that_fails_costs_itself_and_is_not_zero(rdma, bench):
    """mlx5 refuses the whole list for one queue pair of receive side scaling."""
    device = rdma.devices["mlx5_0"]
    device.objects = {"qp": [qp(9, 4711, state=6)], "mr": [mr(1, 4711, 64)], "cq": [plain("cq", 1, 4711)]}
    scan(bench)
    device.refuses = {"RES_QP_GET": errno.ENOSYS}
    values = scan(bench)
    assert holdings(bench)[4711].amounts == {"mrs": 1, "mr_bytes": 64, "cqs": 1}
    assert "qps" not in bench.host.holdings.current[DEVICE].totals
    assert values["hw_rdma_mr_bytes{device=mlx5_0}"] == 64
    assert not any("hw_rdma_qps" in name for name in values)
    assert list(bench.skipped) == ["mlx5_0 qps"]
    device.refuses = {"RES_MR_GET": errno.EIO}
    assert "hw_rdma_mr_bytes{device=mlx5_0}" not in scan(bench)
    assert holdings(bench)[4711].amounts["qps"] == 1
    assert [event.kind for event in bench.events() if event.kind is EventKind.QP_ERROR] == [EventKind.QP_ERROR]


def test_what_can_not_be_read_any_more_is_withdrawn(rdma, bench):
    device = rdma.devices["mlx5_0"]
    device.objects = {"qp": [qp(9, 4711)]}
    scan(bench)
    device.refuses = {"RES_QP_GET": errno.EIO}
    scan(bench)
    scan(bench)
    assert holdings(bench)[4711].amounts["qps"] == 1
    scan(bench)
    assert bench.host.holdings.current == {}
    device.refuses = {}
    scan(bench)
    assert holdings(bench)[4711].amounts["qps"] == 1


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EINVAL])
def test_a_device_that_leaves_during_a_scan_is_no_trouble(rdma, bench, number):
    """The kernel says that it knows no such number."""
    rdma.add(FakeDevice("mlx5_1", 1, GUID + 16, objects={"qp": [qp(9, 4800)]}))
    rdma.devices["mlx5_1"].refuses = {"RES_QP_GET": number}
    scan(bench)
    assert bench.skipped == {}
    assert list(bench.host.holdings.current) == [DEVICE]
    scan(bench)
    assert list(bench.skipped) == ["mlx5_1 qps"]
    del rdma.devices["mlx5_1"].refuses["RES_QP_GET"]
    scan(bench)
    assert bench.skipped == {}


def test_a_device_that_leaves_takes_its_holdings_along(rdma, bench):
    rdma.add(FakeDevice("mlx5_1", 1, GUID + 16, objects={"qp": [qp(9, 4800)]}))
    rdma.devices["mlx5_0"].objects = {"qp": [qp(9, 4711)]}
    scan(bench)
    assert len(bench.host.holdings.current) == 2
    rdma.remove("mlx5_1")
    bench.run()
    assert list(bench.host.holdings.current) == [DEVICE]
    rdma.remove("mlx5_0")
    bench.attempt()
    assert bench.host.holdings.current == {}


def test_a_device_that_leaves_while_its_processes_are_looked_up_is_not_told_of(rdma, bench):
    clock = itertools.count()
    rdma.cpu_clock = lambda: next(clock) * 0.021
    rdma.devices["mlx5_0"].objects = {"qp": [qp(9, 4711), qp(10, 4800)]}
    rdma.add(FakeDevice("mlx5_1", 1, GUID + 16))
    scan(bench)
    bench.run()  # one of two processes
    rdma.remove("mlx5_0")
    for _ in range(5):
        bench.run()
        assert DEVICE not in bench.host.holdings.current
    assert "rdma:9803:9bff:fe12:3466" in bench.host.holdings.current


def test_queue_pairs_that_stay_in_error_are_an_event_once(rdma, bench):
    device = rdma.devices["mlx5_0"]
    device.objects = {"qp": [qp(9, 4711, state=6), qp(10, 4711)]}
    scan(bench)
    assert [event for event in bench.events() if event.kind is EventKind.QP_ERROR] == []  # perhaps on its way down
    scan(bench)
    scan(bench)
    (event,) = [event for event in bench.events() if event.kind is EventKind.QP_ERROR]
    assert (event.device, event.count, event.attributes) == (DEVICE, 1, {"queue_pairs": "1", "pid": "4711"})
    assert event.private == {"pid"}


def test_bound_counters_become_traffic_of_the_holder_of_their_queue_pairs(rdma, bench):
    device = rdma.devices["mlx5_0"]
    device.objects = {"qp": [qp(9, 4711), qp(10, 4711), qp(11, 4800)]}
    device.bound = [
        bound(4, {"rdma_rx_bytes": 100, "out_of_buffer": 2}, qps=(9, 10)),
        bound(5, {"rdma_rx_bytes": 7}, who=4800),
        bound(6, {"rdma_rx_bytes": 1000}, qps=(10, 11)),  # of two processes: nobody's
        bound(7, {"rdma_tx_bytes": 3}, who="nvme_rdma"),
    ]
    scan(bench)
    held = holdings(bench)
    assert (held[4711].amounts["receive_bytes"], held[4711].amounts["counter_out_of_buffer"]) == (100, 2)
    assert held[4800].amounts["receive_bytes"] == 7
    assert held["nvme_rdma"].amounts == {"transmit_bytes": 3}


def received(bench: Bench) -> dict[int | str, float | None]:
    return {who: holding.amounts.get("receive_bytes") for who, holding in holdings(bench).items()}


def test_traffic_does_not_fall_when_queue_pairs_end_and_their_counter_with_them(rdma, bench):
    device = rdma.devices["mlx5_0"]
    device.objects = {"qp": [qp(9, 4711), qp(10, 4800)]}
    device.bound = [bound(4, {"rdma_rx_bytes": 1000}, qps=(9,)), bound(5, {"rdma_rx_bytes": 50}, who=4800)]
    scan(bench)
    device.bound = [bound(4, {"rdma_rx_bytes": 1200}, qps=(9,)), bound(5, {"rdma_rx_bytes": 50}, who=4800)]
    scan(bench)
    assert received(bench) == {4711: 1200, 4800: 50}
    device.objects = {"qp": [qp(11, 4711)]}
    device.bound = [bound(4, {"rdma_rx_bytes": 3}, qps=(11,))]  # anew, and the firmware took the number again
    scan(bench)
    assert received(bench) == {4711: 1203, 4800: 50}  # and who has no queue pair any more lives
    device.objects, device.bound = {}, []
    shutil.rmtree(rdma.directory / "proc/4800")
    scan(bench)
    assert received(bench) == {4711: 1203}
    rdma.process(4711, start=5000)  # another one of that number
    scan(bench)
    assert received(bench) == {}


def test_a_number_that_another_process_has_now_counts_from_its_beginning(rdma, bench):
    device = rdma.devices["mlx5_0"]
    device.objects = {"qp": [qp(9, 4711), qp(10, 4800)]}
    device.bound = [bound(4, {"rdma_rx_bytes": 1000}, who=4711)]
    scan(bench)
    device.bound = [bound(4, {"rdma_rx_bytes": 1500}, who=4800)]
    scan(bench)
    assert received(bench) == {4711: 1000, 4800: 1500}


@pytest.mark.parametrize("refused", ["STAT_GET", "RES_QP_GET"])
def test_traffic_that_can_not_be_read_or_given_for_once_is_counted_once(rdma, bench, refused):
    device = rdma.devices["mlx5_0"]
    device.objects = {"qp": [qp(9, 4711)], "mr": [mr(1, 4711, 64)]}
    device.bound = [bound(4, {"rdma_rx_bytes": 1000}, qps=(9,))]
    scan(bench)
    device.refuses = {refused: errno.EIO}
    device.bound = [bound(4, {"rdma_rx_bytes": 1100}, qps=(9,))]
    scan(bench)
    assert received(bench) == {4711: 1000}
    assert any("EIO" in error or "Input/output" in error for error in bench.skipped.values())
    device.refuses = {}
    scan(bench)
    assert received(bench) == {4711: 1100}


def test_counters_that_nobody_bound_are_not_read(rdma, bench):
    rdma.devices["mlx5_0"].objects = {"qp": [qp(9, 4711)]}
    scan(bench)
    assert rdma.questions.count("STAT_GET") == 2  # the port's counters, and whether QP counters are on


def test_without_netlink_there_are_no_objects(rdma, bench):
    rdma.has_netlink = False
    assert scan(bench) == {}
    assert bench.host.holdings.current == {}


def test_clients_are_closed_when_opening_fails(rdma, bench, monkeypatch):
    closed = []
    monkeypatch.setattr(Client, "close", lambda self: closed.append(self))

    def refuse():
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("hwinfod.collectors._rdma_reader.EthtoolSocket", refuse)
    bench.attempt()
    assert "Too many open files" in bench.reason
    assert len(closed) == 2
