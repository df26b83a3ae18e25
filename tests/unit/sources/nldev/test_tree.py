# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import struct

import pytest

from hwinfod.errors import ParseError
from hwinfod.sources.nldev.messages import Message, iter_messages
from hwinfod.sources.nldev.tree import decode_attributes, decode_message
from tests.support.netlink import attribute, captured, device, error, message, reply, table, text, u8, u32, u64


def decode(data):
    return decode_message(next(iter_messages(data)))


def test_an_entry_is_a_list_even_when_alone():
    payload = table("RES_QP", table("RES_QP_ENTRY", u32("RES_LQPN", 7)))
    assert decode(reply("RES_QP_GET", payload))["attributes"] == {
        "RDMA_NLDEV_ATTR_RES_QP": {"RDMA_NLDEV_ATTR_RES_QP_ENTRY": [{"RDMA_NLDEV_ATTR_RES_LQPN": 7}]}
    }


def test_what_comes_twice_is_a_list():
    decoded = decode(reply("GET", u32("DEV_INDEX", 1) + u32("DEV_INDEX", 2) + u32("DEV_INDEX", 3)))
    assert decoded["attributes"] == {"RDMA_NLDEV_ATTR_DEV_INDEX": [1, 2, 3]}


def test_the_unknown_keeps_its_bytes_and_padding_is_dropped():
    decoded = decode(reply("GET", attribute(900, b"\xab\xcd") + attribute(0, b"") + text("DEV_NAME", "a")))
    assert decoded["attributes"] == {"UNKNOWN(900)": "abcd", "RDMA_NLDEV_ATTR_DEV_NAME": "a"}
    assert decode(message(99, b"\xff"))["type"] == "UNKNOWN(99)"
    assert decode(message(99, b"\xff"))["payload"] == "ff"


def test_guids_and_addresses_are_written_as_rdma_writes_them():
    attributes = decode_message(captured("devices")[0])["attributes"]
    assert attributes["RDMA_NLDEV_ATTR_NODE_GUID"] == "1cdc:01ff:fe62:e54c"
    entry = decode_message(captured("cm_id_rxe1")[0])["attributes"]["RDMA_NLDEV_ATTR_RES_CM_ID"]
    first, second = entry["RDMA_NLDEV_ATTR_RES_CM_ID_ENTRY"]
    assert first["RDMA_NLDEV_ATTR_RES_SRC_ADDR"] == "10.9.0.2:7174"
    assert second["RDMA_NLDEV_ATTR_RES_DST_ADDR"] == "10.9.0.1:56228"


def test_keys_that_need_a_privilege_are_shown_when_they_were_captured():
    entries = decode_message(captured("mr_rxe1")[0])["attributes"]["RDMA_NLDEV_ATTR_RES_MR"]
    assert [hex(e["RDMA_NLDEV_ATTR_RES_LKEY"]) for e in entries["RDMA_NLDEV_ATTR_RES_MR_ENTRY"]] == [
        "0x3ad", "0x491", "0x5a9",
    ]  # fmt: skip


def test_numbers_stay_exact():
    decoded = decode(reply("RES_MR_GET", u64("RES_MRLEN", 2**64 - 1) + u8("RES_STATE", 255)))
    assert decoded["attributes"]["RDMA_NLDEV_ATTR_RES_MRLEN"] == 2**64 - 1


def test_a_refusal_is_told_with_its_question():
    decoded = decode_message(captured("refused_unknown_device")[0])
    assert decoded["type"] == "NLMSG_ERROR"
    assert (decoded["error"], decoded["errno"], decoded["message"]) == (-22, "EINVAL", "Invalid argument")
    assert decoded["request"] == {"type": "RDMA_NLDEV_CMD_STAT_GET", "sequence": 40}


def test_an_extended_acknowledgement_gives_the_reason():
    request = reply("STAT_GET", device(99, ""), sequence=5)
    reason = attribute(1, b"no such device\0") + attribute(2, struct.pack("=I", 16))
    whole = Message(2, 0x200, 5, 0, struct.pack("=i", -errno.ENODEV) + request + reason)
    capped = Message(2, 0x300, 5, 0, struct.pack("=i", -errno.ENODEV) + request[:16] + reason)
    for told in (whole, capped):
        decoded = decode_message(told)
        assert (decoded["reason"], decoded["offset"]) == ("no such device", 16)
        assert "NLM_F_ACK_TLVS" in decoded["flags"]


def test_an_end_may_carry_an_error():
    decoded = decode_message(captured("dump_refused_at_its_end")[0])
    assert (decoded["type"], decoded["error"], decoded["flags"]) == ("NLMSG_DONE", -22, ["NLM_F_MULTI"])


def test_a_message_nested_without_end_is_refused():
    nested = b""
    for _ in range(500):
        nested = table("DRIVER", nested)
    with pytest.raises(ParseError, match="nested more than"):
        decode(reply("GET", nested))


def test_a_value_of_the_wrong_length_names_its_attribute():
    with pytest.raises(ParseError, match="RDMA_NLDEV_ATTR_DEV_INDEX"):
        decode_attributes(attribute(1, b"12"), 0, 6)


def test_a_refusal_without_its_question_is_broken():
    with pytest.raises(ParseError, match="header of its request"):
        decode(error(22, b""))
