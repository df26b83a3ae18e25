# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import Denied, Gone, NotProvided, ParseError, ReadError
from hwinfod.sources.nldev.messages import ReplyTooBig, build_request, iter_messages, parse_status, refusal
from tests.support.netlink import CAPTURES, captured, done, reply


def test_a_request_is_what_the_captured_ones_were():
    # `stat_get` for device 0, port 1: type 0x1411, NLM_F_REQUEST | NLM_F_ACK, DEV_INDEX and PORT_INDEX as u32
    assert build_request(0x1411, 0x4, 7, ((1, 0), (3, 1))) == bytes.fromhex(
        "2000000011140500070000000000000008000100000000000800030001000000"
    )


def test_messages_of_one_datagram_are_told_apart():
    first, second, last = iter_messages(reply("GET", b"1234") + reply("GET", b"12345") + bytes(3) + done())
    assert (first.payload, second.payload, last.type) == (b"1234", b"12345", 3)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\0" * 15, "15 bytes are no header"),
        (struct.pack("=IHHII", 15, 0, 0, 0, 0), "impossible length 15"),
        (struct.pack("=IHHII", 17, 0, 0, 0, 0), "truncated, 16 of 17"),
        (done() + b"\0", "at byte 20"),
    ],
)
def test_a_broken_frame_is_said(data, said):
    with pytest.raises(ParseError, match=said):
        list(iter_messages(data))


def test_a_message_before_a_break_is_not_lost():
    messages = iter_messages(done() + b"\xff")
    assert next(messages).type == 3
    with pytest.raises(ParseError):
        next(messages)


@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_a_parse_error(data):
    try:
        messages = list(iter_messages(data))
    except ParseError:
        return
    assert sum(16 + len(message.payload) for message in messages) <= len(data)


def test_statuses():
    assert parse_status(captured("refused_unknown_device")[0].payload) == errno.EINVAL
    assert parse_status(captured("dump_refused_at_its_end")[0].payload) == errno.EINVAL
    assert parse_status(captured("late_acknowledgement")[0].payload) == 0
    for broken in (b"", b"123", struct.pack("=i", 5), struct.pack("=i", -(2**31))):
        with pytest.raises(ParseError):
            parse_status(broken)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EINVAL, NotProvided),
        (errno.EOPNOTSUPP, NotProvided),
        (errno.ENODEV, Gone),
        (errno.EPERM, Denied),
        (errno.EMSGSIZE, ReplyTooBig),
        (errno.EIO, ReadError),
    ],
)
def test_refusals_have_the_class_of_their_errno(number, kind):
    error = refusal(number, "rdma netlink STAT_GET")
    assert type(error) is kind
    assert error.errno == number
    assert "rdma netlink STAT_GET" in str(error)


def test_every_capture_is_read():
    captures = sorted((CAPTURES / "netlink").glob("*.bin"))
    assert len(captures) >= 30
    for path in captures:
        assert list(iter_messages(path.read_bytes()))
