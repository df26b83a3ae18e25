# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.nldev.counters import (
    CounterLayout,
    CounterMode,
    parse_bound_counters,
    parse_counter_mode,
    parse_counter_status,
    parse_counters,
)
from tests.support import netlink
from tests.support.netlink import captured, device, table, text, u8, u32, u64

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
VALUES = st.integers(0, 2**64 - 1)


def reply(values, name="mlx5_0", *, padded=False):
    return device(0, name) + u32("PORT_INDEX", 1) + netlink.counters(values, padded=padded)


@given(st.dictionaries(NAMES, VALUES, max_size=70), st.booleans())
def test_layout_reads_what_the_parser_reads(values, padded):
    payload = reply(values, padded=padded)
    assert parse_counters(payload) == values
    layout = CounterLayout(payload)
    assert layout.names == tuple(values)
    assert layout.read(payload) == tuple(values.values())
    later = {name: (value + 12345) % 2**64 for name, value in values.items()}
    assert layout.read(reply(later, padded=padded)) == tuple(later.values())


@pytest.mark.parametrize("name", ["counters_rxe0", "counters_rxe1", "counters_rxe2", "counters_rxe0_idle"])
def test_layout_reads_what_the_parser_reads_of_captured_replies(name):
    payload = captured(name)[0].payload
    layout = CounterLayout(payload)
    assert dict(zip(layout.names, layout.read(payload))) == parse_counters(payload)


def test_a_layout_of_an_idle_reply_reads_a_busy_one():
    layout = CounterLayout(captured("counters_rxe0_idle")[0].payload)
    busy = captured("counters_rxe0")[0].payload
    assert dict(zip(layout.names, layout.read(busy))) == parse_counters(busy)


@pytest.mark.parametrize(
    "other",
    [
        reply({"tx": 1, "rx": 2}),
        reply({"rx": 1}),
        reply({"rx": 1, "tx": 2}, name="mlx5_9"),
        reply({"rx": 1, "tx": 2}, padded=True),
        reply({"rx": 1, "tx": 2}) + u8("STAT_OPCOUNTER_ENABLED", 1),
        b"",
    ],
)
def test_a_reply_laid_out_differently_is_not_read(other):
    layout = CounterLayout(reply({"rx": 1, "tx": 2}))
    assert layout.read(reply({"rx": 3, "tx": 4})) == (3, 4)
    assert layout.read(other) is None


def test_a_name_that_stands_twice_would_put_a_value_under_the_wrong_one():
    entry = table("STAT_HWCOUNTER_ENTRY", text("STAT_HWCOUNTER_ENTRY_NAME", "rx"), u64("STAT_HWCOUNTER_ENTRY_VALUE", 1))
    with pytest.raises(ParseError, match="twice"):
        CounterLayout(table("STAT_HWCOUNTERS", entry, entry))


def test_an_entry_without_value_is_an_error():
    entry = table("STAT_HWCOUNTER_ENTRY", text("STAT_HWCOUNTER_ENTRY_NAME", "rx"))
    with pytest.raises(ParseError, match="without name or value"):
        parse_counters(table("STAT_HWCOUNTERS", entry))


def test_a_port_without_counters_has_none():
    assert parse_counters(device(0, "siw0")) == {}


def status(name, position, dynamic=None):
    flag = b"" if dynamic is None else u8("STAT_HWCOUNTER_DYNAMIC", dynamic)
    name_and_index = text("STAT_HWCOUNTER_ENTRY_NAME", name) + u32("STAT_HWCOUNTER_INDEX", position)
    return table("STAT_HWCOUNTER_ENTRY", name_and_index + flag, flagged=True)


def test_optional_counters_are_on_or_off():
    entries = status("rx_write_requests", 0), status("cc_rx_ce_pkts", 1, 0), status("cc_rx_cnp_pkts", 2, 1)
    found = parse_counter_status(device(0, "mlx5_0") + table("STAT_HWCOUNTERS", *entries, flagged=True))
    assert [(s.name, s.enabled) for s in found] == [
        ("rx_write_requests", None),
        ("cc_rx_ce_pkts", False),
        ("cc_rx_cnp_pkts", True),
    ]


def bound(counter, *fields, qps=(), values=None):
    lines = [table("RES_QP_ENTRY", u32("RES_LQPN", number)) for number in qps]
    return table(
        "STAT_COUNTER_ENTRY",
        u32("PORT_INDEX", 1) + u32("STAT_COUNTER_ID", counter) + b"".join(fields),
        table("RES_QP", *lines),
        netlink.counters(values or {}),
    )


def test_counters_bound_to_queue_pairs():
    by_pid = bound(4, u32("STAT_MODE", 1), u8("RES_TYPE", 2), u32("RES_PID", 4711), qps=(178, 179), values={"rx": 9})
    by_hand = bound(5, u32("STAT_MODE", 2), qps=(200,), values={"rx": 2**63})
    of_kernel = bound(6, u32("STAT_MODE", 1), text("RES_KERN_NAME", "nvme_rdma"))
    found = parse_bound_counters(device(2, "mlx5_2") + table("STAT_COUNTER", by_pid, by_hand, of_kernel))
    assert [(c.counter, c.mode, c.qp_type, c.pid, c.kernel_name, c.qps, c.values) for c in found] == [
        (4, 1, 2, 4711, None, (178, 179), {"rx": 9}),
        (5, 2, None, None, None, (200,), {"rx": 2**63}),
        (6, 1, None, None, "nvme_rdma", (), {}),
    ]
    assert {(c.device_index, c.device, c.port) for c in found} == {(2, "mlx5_2", 1)}


def test_how_queue_pair_counters_are_bound():
    assert parse_counter_mode(u32("STAT_MODE", 1) + u32("STAT_AUTO_MODE_MASK", 3)) == CounterMode(1, 3, None)
    assert parse_counter_mode(u32("STAT_MODE", 0)) == CounterMode(0, None, None)
    with pytest.raises(ParseError):
        parse_counter_mode(b"")


@pytest.mark.parametrize(
    "payload",
    [
        table("STAT_COUNTER", bound(1)),
        device(0, "a") + table("STAT_COUNTER", table("STAT_COUNTER_ENTRY", u32("PORT_INDEX", 1))),
    ],
)
def test_a_bound_counter_without_device_or_number_is_an_error(payload):
    with pytest.raises(ParseError, match="without"):
        parse_bound_counters(payload)
