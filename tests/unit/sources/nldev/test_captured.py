# SPDX-License-Identifier: MIT
"""What a real kernel answered, decoded, against what `rdma` said of the same devices at that time."""

from __future__ import annotations

import json

import pytest

from hwinfod.sources.nldev import counters, devices, enums, resources
from hwinfod.sources.nldev.tree import format_guid
from tests.support.netlink import CAPTURES, captured

ENDED = {535, 538}  # the two processes that were gone when the messages were captured


def tool(name: str) -> list[dict]:
    return json.loads((CAPTURES / "tool" / f"{name}.json").read_text())


def test_devices_agree_with_rdma_dev():
    found = [devices.parse_device(m.payload) for m in captured("devices") if m.type != 3]
    expected = tool("dev")
    assert [(d.device_index, d.name) for d in found] == [(e["ifindex"], e["ifname"]) for e in expected]
    for device, told in zip(found, expected):
        assert enums.NODE_TYPES[device.node_type] == told["node_type"]
        assert format_guid(device.guid) == told["node_guid"]
        assert format_guid(device.system_image_guid) == told["sys_image_guid"]
        assert bool(device.adaptive_moderation) == told["adaptive-moderation"]
        assert (device.port_count, device.protocol, device.firmware, device.parent) == (1, "roce", None, None)


@pytest.mark.parametrize("name", ["rxe0", "rxe1", "rxe2"])
def test_ports_agree_with_rdma_link(name):
    port = devices.parse_port(captured(f"port_{name}")[0].payload)
    (told,) = [link for link in tool("link") if link["ifname"] == name]
    assert (port.device, port.device_index, port.number) == (name, told["ifindex"], told["port"])
    assert enums.PORT_STATES[port.state] == told["state"]
    assert enums.PHYSICAL_STATES[port.physical_state] == told["physical_state"]
    assert (port.interface, port.interface_index) == (told["netdev"], told["netdev_index"])
    assert (port.lid, port.subnet_prefix) == (None, None)  # RoCE has neither


def test_system_agrees_with_rdma_system():
    system = devices.parse_system(captured("system")[0].payload)
    said = f"netns {enums.NETNS_MODES[system.netns_mode]} copy-on-fork {'on' if system.copy_on_fork else 'off'}"
    assert said == (CAPTURES / "tool" / "sys.txt").read_text().strip()
    assert system.monitor is None  # Linux 6.1 has no MONITOR


def test_totals_agree_with_rdma_resource():
    found = {s.device: s.counts for s in (devices.parse_summary(m.payload) for m in captured("totals") if m.type != 3)}
    assert list(found) == ["rxe0", "rxe1", "rxe2", "rxelo"]
    for told in tool("res"):
        counts = found[told["ifname"]]
        assert list(counts) == ["pd", "cq", "qp", "cm_id", "mr", "ctx", "srq"]
        ended = 1 if told["ifname"] in ("rxe0", "rxe1") else 0  # ib_send_bw had one of each, and two CQs
        gone = {"pd": ended, "cq": 2 * ended, "qp": ended, "mr": ended, "ctx": ended}
        assert {kind: count + gone.get(kind, 0) for kind, count in counts.items()} == {k: told[k] for k in counts}


@pytest.mark.parametrize("name", ["rxe0", "rxe1", "rxe2"])
def test_counters_lie_between_what_rdma_said_before_and_sysfs_after(name):
    found = counters.parse_counters(captured(f"counters_{name}")[0].payload)
    (before,) = [stat for stat in tool("stat") if stat["ifname"] == name]
    lines = (CAPTURES / "tool" / "hw_counters.txt").read_text().splitlines()
    after = {counter: int(value) for device, counter, value in map(str.split, lines) if device == name}
    assert list(found) == [counter for counter in before if counter not in ("ifname", "port")]
    assert set(found) == set(after) - {"lifespan"}
    for counter, value in found.items():
        assert before[counter] <= value <= after[counter]
    assert found["sent_pkts"] > 0 or name == "rxe2"


def test_every_counter_that_is_counted_has_a_status():
    found = counters.parse_counter_status(captured("counter_status_rxe0")[0].payload)
    assert [status.name for status in found] == list(counters.parse_counters(captured("counters_rxe0")[0].payload))
    assert [status.position for status in found] == list(range(15))
    assert {status.enabled for status in found} == {None}  # soft-RoCE has no optional counters


def records(kind: str, name: str) -> list:
    of_kind = resources.KINDS[kind]
    return [
        record
        for message in captured(f"{kind}_{name}")
        if message.type == enums.message_type(of_kind.command)
        for record in resources.parse_resources(message.payload, of_kind)
    ]


QP = ("port", "port"), ("lqpn", "number"), ("rqpn", "remote"), ("pdn", "pd")
CQ = ("cqn", "number"), ("cqe", "entries"), ("users", "users"), ("ctxn", "context")
MR = ("mrn", "number"), ("mrlen", "length_bytes"), ("pdn", "pd")
CM_ID = ("port", "port"), ("cm-idn", "number"), ("lqpn", "qp"), ("src-addr", "source"), ("dst-addr", "destination")
PD = ("pdn", "number"), ("users", "users"), ("ctxn", "context")
CTX = (("ctxn", "number"),)


@pytest.mark.parametrize("device", ["rxe0", "rxe1"])
@pytest.mark.parametrize(
    ("kind", "fields"), [("qp", QP), ("cq", CQ), ("mr", MR), ("cm_id", CM_ID), ("pd", PD), ("ctx", CTX)]
)
def test_objects_agree_with_rdma_resource_show(kind, fields, device):
    told = [entry for entry in tool(f"res_{kind}") if entry["ifname"] == device]
    found = records(kind, device)
    assert found
    for record in found:
        (entry,) = [e for e in told if e[identity(kind)] == record.number]
        for theirs, ours in fields:
            assert getattr(record, ours) == entry.get(theirs), theirs
        assert record.pid == entry.get("pid")
        assert (record.kernel_name is None) == ("pid" in entry)
        if record.kernel_name:
            assert record.kernel_name == entry["comm"]
        assert record.device_index == entry["ifindex"]
    numbers = {record.number for record in found}
    missing = [entry for entry in told if entry[identity(kind)] not in numbers]
    assert {entry["pid"] for entry in missing} <= ENDED


def identity(kind: str) -> str:
    return {"qp": "lqpn", "cm_id": "cm-idn"}.get(kind, f"{kind}n")


@pytest.mark.parametrize("device", ["rxe0", "rxe1"])
def test_types_and_states_of_queue_pairs_and_connections_agree_with_rdma(device):
    told = {entry["lqpn"]: entry for entry in tool("res_qp") if entry["ifname"] == device}
    for qp in records("qp", device):
        assert enums.word(enums.QP_TYPES, qp.type) == told[qp.number]["type"]
        assert enums.word(enums.QP_STATES, qp.state) == told[qp.number]["state"]
    told = {entry["cm-idn"]: entry for entry in tool("res_cm_id") if entry["ifname"] == device}
    for connection in records("cm_id", device):
        entry = told[connection.number]
        assert enums.word(enums.QP_TYPES, connection.type) == entry.get("qp-type", "")
        assert enums.word(enums.CM_STATES, connection.state) == entry["state"]
        assert enums.word(enums.PORT_SPACES, connection.port_space) == entry["ps"]


def test_an_empty_list_of_shared_receive_queues_is_empty():
    assert records("srq", "rxe0") == []


def test_notifications_of_linux_6_12():
    events = [devices.parse_event(message.payload) for message in captured("monitor_linux_6_12")]
    assert [(enums.EVENTS[event.kind], event.device, event.interface) for event in events] == [
        ("register", "rxe9", None),
        ("netdev_attach", "rxe9", "dummy1"),
        ("unregister", "rxe8", None),
    ]
    assert {event.device_index for event in events} == {3}
    assert {message.sequence for message in captured("monitor_linux_6_12")} == {0}


def test_a_kernel_that_notifies_says_so():
    assert devices.parse_system(captured("system_linux_6_12")[0].payload) == (1, 1, 0, 1)
