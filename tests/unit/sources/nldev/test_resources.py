# SPDX-License-Identifier: MIT
from __future__ import annotations

import socket
import struct

import pytest

from hwinfod.errors import ParseError
from hwinfod.sources.nldev.attributes import NUMBERS
from hwinfod.sources.nldev.resources import KINDS, parse_resources
from tests.support.netlink import attribute, device, table, text, u8, u32, u64


def qp(number, *more):
    return table("RES_QP_ENTRY", u32("PORT_INDEX", 1), u32("RES_LQPN", number), *more)


def test_entries_of_one_message_keep_their_order_and_their_own_values():
    user = qp(9, u32("RES_PDN", 4), u32("RES_PID", 100), u32("RES_RQPN", 8), u8("RES_TYPE", 2), u8("RES_STATE", 6))
    kernel = qp(1, text("RES_KERN_NAME", "ib_core"), u8("RES_TYPE", 1), u8("RES_STATE", 3))
    first, second = parse_resources(device(3, "mlx5_3") + table("RES_QP", user, kernel), KINDS["qp"])
    assert first == (3, 1, 9, 8, 2, 6, 4, 100, None)
    assert second == (3, 1, 1, None, 1, 3, None, None, "ib_core")


def test_attributes_that_nobody_asked_for_cost_nothing():
    odd = attribute(2000, b"x" * 5) + u32("RES_RQ_PSN", 5) + table("DRIVER", table("DRIVER_ENTRY", u8("RES_STATE", 1)))
    (record,) = parse_resources(odd + device(0, "a") + table("RES_QP", qp(7, odd, u8("RES_STATE", 3))), KINDS["qp"])
    assert (record.number, record.state) == (7, 3)


@pytest.mark.parametrize("flagged", [False, True])
def test_nested_flag_and_padding_make_no_difference(flagged):
    entry = table(
        "RES_MR_ENTRY",
        u64("RES_MRLEN", 2**40, padded=True),
        u32("RES_MRN", 5),
        u32("RES_PID", 77),
        flagged=flagged,
    )
    (record,) = parse_resources(device(0, "a") + table("RES_MR", entry, flagged=flagged), KINDS["mr"])
    assert (record.length_bytes, record.number, record.pid) == (2**40, 5, 77)


def test_connections_over_ipv6():
    address = struct.pack("=H", socket.AF_INET6) + struct.pack("!H", 7174) + bytes(4)
    source = (address + socket.inet_pton(socket.AF_INET6, "fe80::1")).ljust(128, b"\0")
    strange = struct.pack("=H", 27).ljust(128, b"\0")
    entry = table(
        "RES_CM_ID_ENTRY",
        attribute(NUMBERS["RES_SRC_ADDR"], source),
        attribute(NUMBERS["RES_DST_ADDR"], strange),
        u32("RES_CM_IDN", 3),
    )
    (record,) = parse_resources(device(0, "a") + table("RES_CM_ID", entry), KINDS["cm_id"])
    assert (record.source, record.destination, record.number) == ("[fe80::1]:7174", "", 3)


def test_a_shared_receive_queue():
    entry = table("RES_SRQ_ENTRY", u32("RES_SRQN", 2), u8("RES_TYPE", 0), u32("RES_PDN", 3), u32("RES_CQN", 4))
    (record,) = parse_resources(device(0, "a") + table("RES_SRQ", entry), KINDS["srq"])
    assert (record.number, record.type, record.pd, record.cq, record.pid) == (2, 0, 3, 4, None)


def test_a_table_of_another_kind_holds_none_of_ours():
    assert parse_resources(device(0, "a") + table("RES_MR", table("RES_MR_ENTRY")), KINDS["qp"]) == []


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (table("RES_QP", qp(1)), "without a device"),
        (device(0, "a") + table("RES_QP", table("RES_QP_ENTRY", attribute(NUMBERS["RES_LQPN"], b"12"))), "4 expected"),
        (device(0, "a") + table("RES_QP", table("RES_QP_ENTRY", u32("RES_LQPN", 1)[:4])), "beyond its entry"),
        (device(0, "a") + table("RES_QP", table("RES_QP_ENTRY", b"\x40\x00\x15\x00")), "beyond its entry"),
        (device(0, "a") + table("RES_QP", b"\x40\x00\x14\x00"), "entry at byte"),
        (device(0, "a") + b"\x03\x00\x13\x00", "length 3"),
    ],
)
def test_broken_objects_are_said(payload, said):
    with pytest.raises(ParseError, match=said):
        parse_resources(payload, KINDS["qp"])
