# SPDX-License-Identifier: MIT
"""`hwinfoctl rdma`: the screens of a host with RDMA."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.ctl import __main__ as ctl
from hwinfod.ctl.commands import _rdma_device
from hwinfod.ctl.failures import FAILED, OK
from hwinfod.ctl.terminal import Terminal
from tests.support.rdma import bound
from tests.unit.ctl.test_commands import RouteClient, run
from tests.unit.serve.test_api_rdma import RdmaAsker


@pytest.fixture
def asker(monkeypatch, tmp_path):
    RouteClient.asker = asker = RdmaAsker(tmp_path, monkeypatch)
    asker.attribute()
    monkeypatch.setattr(ctl, "Client", RouteClient)
    return asker


def row(out: str, title: str) -> list[str]:
    (line,) = [line for line in out.splitlines() if line.lstrip().startswith(title)]
    return line.split()


def test_every_port_has_a_line(asker, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    asker.device.hw["rnr_nak_retry_err"] += 2
    asker.device.counters |= {"port_rcv_data": 2000}
    asker.kernel.show()
    asker.bench.run()  # two seconds after the first
    status, out, err = run(capsys, "rdma")
    assert (status, err) == (OK, "")
    line = "mlx5_0/1 active 200 Gb/s 1.95 KiB/s 0 B/s 8 2 3 0 4 ml/job1000 2, ml/job2000 1"
    assert row(out, "mlx5_0/1") == line.split()


def test_a_port_that_is_down_and_a_card_that_left_say_so(asker, capsys):
    asker.device.state, asker.device.physical_state = 1, 3
    asker.bench.run()
    assert "down (disabled)" in run(capsys, "rdma")[1]
    asker.kernel.remove("mlx5_0")
    asker.bench.attempt()
    assert "lost" in row(run(capsys, "rdma")[1], "mlx5_0/1")


def test_a_device_with_its_errors_and_holders(asker, capsys):
    status, out, err = run(capsys, "rdma", "mlx5_0")
    assert (status, err) == (OK, "")
    assert row(out, "mlx5_0")[-1] == "9803:9bff:fe12:3456"
    assert row(out, "port 1")[2:5] == ["active", "200", "Gb/s"]
    assert row(out, "error rnr_nak_retry_err")[-2:] == ["5", "0"]
    assert row(out, "link lost")[-2:] == ["3", "0"]
    assert row(out, "4711")[1:6] == ["rank1000", "ml/job1000", "2", "-", "1"]
    assert "[ib_core]" in out
    assert "10.9.0.2:7174" in out


def test_what_a_process_calls_itself_does_not_speak_to_the_terminal(asker, capsys):
    for owner in asker.host.attribution.owners.values():
        object.__setattr__(owner.holders[0], "name", "\x1b[31mroot")
    out = run(capsys, "rdma", "mlx5_0")[1]
    assert "\x1b" not in out
    assert "?[31mroot" in out


def test_the_json_is_the_apis_with_the_holders(asker, capsys):
    document = json.loads(run(capsys, "rdma", "mlx5_0", "--json")[1])
    assert document["name"] == "mlx5_0"
    assert document["holders"] == asker("/v1/rdma/mlx5_0/resources")
    assert json.loads(run(capsys, "rdma", "--json")[1]) == asker("/v1/rdma")


def test_an_unknown_device_is_a_failure(asker, capsys):
    status, out, _ = run(capsys, "rdma", "none")
    assert (status, out) == (FAILED, "")


def holder(owner: str, peers: list[str], amounts: dict[str, int], command: str | None = None) -> dict[str, object]:
    return {
        "pid": 4_194_304, "process": "nccl-train-rank", "uid": 0, "command_line": command, "kernel": "",
        "owner": owner, "amounts": amounts, "peers": peers,
    }  # fmt: skip


HOLDERS = st.lists(
    st.builds(
        holder,
        st.text(st.characters(codec="ascii", categories=("L", "N", "P")), max_size=90),
        st.lists(st.sampled_from(["10.9.0.2:7174", "[fe80::9803:9bff:fe12:3456]:18515"]), max_size=5),
        st.dictionaries(
            st.sampled_from(["qps", "cqs", "mrs", "cm_ids", "mr_bytes", "receive_bytes"]), st.integers(0, 10**6)
        ),
        st.none() | st.just("python train.py --nodes 64"),
    ),
    min_size=1,
    max_size=4,
)


def test_traffic_of_bound_counters_stands_below_its_holder(asker, capsys):
    asker.device.bound = [bound(4, {"rdma_rx_bytes": 4096, "rdma_tx_bytes": 0}, who=4711)]
    asker.bench.run("resources")
    lines = run(capsys, "rdma", "mlx5_0")[1].splitlines()
    (place,) = [number for number, line in enumerate(lines) if "received" in line]
    assert lines[place] == "  4 KiB received, 0 B sent"
    assert any(line.lstrip().startswith("4711") for line in lines[place - 2 : place])


@given(HOLDERS, st.integers(80, 200))
def test_a_device_fits_the_screen_and_loses_no_peer(asker_document, holders, width):
    resources = {"age_seconds": 12.0, "holders": holders}
    out = Terminal(io.StringIO(), {"COLUMNS": str(width)})
    lines = _rdma_device.screen(asker_document, resources, out)
    assert max(map(len, lines)) <= width
    said = " ".join(" ".join(lines).split())
    for each in holders:
        assert " ".join(each["peers"][:3]) in said
        assert each["owner"][:3] in said
        assert each["owner"][-3:] in said


@pytest.fixture(scope="module")
def asker_document():
    """A card with all facts that a screen tells, of their usual lengths."""
    facts = {
        "hca_type": "MT4129", "driver": "mlx5_core", "firmware": "28.39.1002", "pci": "0000:17:00.0", "numa_node": "0",
        "guid": "9803:9bff:fe12:3456",
    }  # fmt: skip
    port = {
        "port": 1, "status": "present", "up": True, "state": "active", "physical_state": "linkup",
        "rate_bytes_per_second": 5e10, "facts": {"link_layer": "InfiniBand", "netdev": "ibp23s0f0np0", "lid": "0x1a2b"},
        "counters_off": ["cc_rx_ce_pkts", "cc_rx_cnp_pkts", "cc_tx_cnp_pkts", "rdma_tx_packets", "rdma_tx_bytes"],
        "link_transitions": {"total": 3, "last_hour": 0}, "errors": {}, "retransmits": {}, "congestion": {},
    }  # fmt: skip
    resources = {"pd": 1024, "cq": 70_000, "qp": 123_456, "mr": 10**6, "ctx": 1024, "cm_id": 2048, "srq": 16}
    return {"name": "mlx5_bond_0", "status": "present", "facts": facts, "ports": [port], "resources": resources}


def test_optional_counters_that_are_off_are_named(asker, capsys):
    asker.device.optional = {"cc_rx_ce_pkts": False, "rdma_tx_bytes": True}
    asker.bench.run("facts")
    assert (
        row(run(capsys, "rdma", "mlx5_0")[1], "counters that are off") == "counters that are off cc_rx_ce_pkts".split()
    )
    asker.device.optional = {"cc_rx_ce_pkts": True}
    asker.bench.run("facts")
    assert "counters that are off" not in run(capsys, "rdma", "mlx5_0")[1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, "they were not listed so far"),
        ({"resources": {}}, "RDMA netlink does not show this device"),
        ({"status": "lost"}, "the device is lost"),
    ],
)
def test_holders_that_nobody_looked_for_are_not_said_to_be_none(asker_document, change, why):
    out = Terminal(io.StringIO(), {"COLUMNS": "80"})
    lines = _rdma_device.screen({**asker_document, **change}, {"age_seconds": None, "holders": []}, out)
    said = " ".join(" ".join(lines).split())
    assert why in said
    assert "nobody" not in said
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(("width", "is_narrow"), [(60, True), (200, False)])
def test_what_has_no_room_stands_below_its_row(asker, capsys, monkeypatch, width, is_narrow):
    monkeypatch.setenv("COLUMNS", str(width))
    of_device = run(capsys, "rdma", "mlx5_0")[1].splitlines()
    place = next(number for number, line in enumerate(of_device) if "10.9.0.2:7174" in line)
    assert of_device[place].startswith("  peers 10.9.0.2:7174") == is_narrow
    assert of_device[place - is_narrow].split()[0] == "4711"
    assert ("PEERS" in "".join(of_device)) != is_narrow
    of_all = run(capsys, "rdma")[1].splitlines()
    assert (of_all[2:] == ["  held by ml/job1000 2, ml/job2000 1"]) == is_narrow
    assert ("HELD BY" in of_all[0]) != is_narrow
