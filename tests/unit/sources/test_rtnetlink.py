# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import json
import socket
import struct
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError, ReadError
from hwinfod.sources.files import read_file
from hwinfod.sources.proc_net_dev import parse_net_dev
from hwinfod.sources.rtnetlink import RTM_NEWSTATS, StatsSocket, build_question, parse_stats, to_counters
from tests.support.netlink import DONE, ERROR, INTERRUPTED, MULTI, attribute
from tests.support.netns import ip, isolated

SEQUENCE = 7


def message(kind: int, body: bytes, sequence: int = SEQUENCE, flags: int = MULTI) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body + bytes(-len(body) % 4)


def stats(index: int, *values: int, sequence: int = SEQUENCE, flags: int = MULTI, padded: bool = False) -> bytes:
    counters = struct.pack("=25Q", *(values or range(25)))
    body = struct.pack("=BBHII", 0, 0, 0, index, 1) + (attribute(0, b"") if padded else b"") + attribute(1, counters)
    return message(RTM_NEWSTATS, body, sequence, flags)


def done(status: int = 0, sequence: int = SEQUENCE) -> bytes:
    return message(DONE, struct.pack("=i", -status), sequence)


class Kernel:
    """Answers each question with the datagrams prepared for it, in which sequence 7 stands for the right one."""

    def __init__(self, *answers: list[bytes] | OSError) -> None:
        self.answers = deque(answers)
        self.pending: deque[bytes] = deque()
        self.questions = 0
        self.closed = 0

    def send(self, data: bytes) -> None:
        self.questions += 1
        answer = self.answers.popleft()
        if isinstance(answer, OSError):
            raise answer
        sequence = data[8:12]
        self.pending.extend(_with_sequence(datagram, sequence) for datagram in answer)

    def receive(self) -> bytes:
        if not self.pending:
            raise OSError(errno.ETIMEDOUT, "no answer")
        return self.pending.popleft()

    def close(self) -> None:
        self.closed += 1
        self.pending.clear()


def _with_sequence(datagram: bytes, sequence: bytes) -> bytes:
    out, offset = bytearray(datagram), 0
    while offset < len(out):
        if out[offset + 8 : offset + 12] == struct.pack("=I", SEQUENCE):
            out[offset + 8 : offset + 12] = sequence
        offset += (struct.unpack_from("=I", out, offset)[0] + 3) & ~3
    return bytes(out)


def test_counters_are_summed_as_in_proc_net_dev() -> None:
    one = to_counters(parse_stats(stats(4), SEQUENCE).stats[4])
    assert (one.receive_bytes, one.transmit_bytes, one.receive_packets, one.transmit_packets) == (2, 3, 0, 1)
    assert (one.receive_errors, one.transmit_errors, one.transmit_dropped) == (4, 5, 7)
    assert one.receive_dropped == 6 + 15  # and missed
    assert one.receive_multicast == 8
    assert one.receive_fifo_errors == 14
    assert one.receive_frame_errors == 10 + 11 + 12 + 13
    assert one.transmit_carrier_errors == 16 + 17 + 19 + 20


def test_an_answer_in_parts() -> None:
    first = parse_stats(stats(1) + stats(2, padded=True), SEQUENCE)
    assert (sorted(first.stats), first.is_last, first.is_interrupted) == ([1, 2], False, False)
    last = parse_stats(stats(3, flags=MULTI | INTERRUPTED) + done(), SEQUENCE)
    assert (sorted(last.stats), last.is_last, last.is_interrupted) == ([3], True, True)


def test_answers_to_older_questions_are_skipped() -> None:
    part = parse_stats(stats(1, sequence=6) + done(sequence=6) + stats(2), SEQUENCE)
    assert (list(part.stats), part.is_last) == ([2], False)


def test_a_refusal_is_an_error() -> None:
    for answer in (message(ERROR, struct.pack("=i", -errno.EOPNOTSUPP) + bytes(16)), done(errno.EPERM)):
        with pytest.raises(ReadError) as refused:
            parse_stats(answer, SEQUENCE)
        assert refused.value.errno in (errno.EOPNOTSUPP, errno.EPERM)


@pytest.mark.parametrize("data", [stats(1)[:100], message(RTM_NEWSTATS, b"1234"), struct.pack("=IHHII", 3, 1, 0, 7, 0),
                                  message(RTM_NEWSTATS, bytes(12) + attribute(1, bytes(80)))])  # fmt: skip
def test_broken_frames_are_parse_errors(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_stats(data, SEQUENCE)


@given(st.binary(), st.integers(0, 400))
def test_arbitrary_bytes(data: bytes, cut: int) -> None:
    whole = stats(1) + stats(2, padded=True) + done()
    for candidate in (data, whole[:cut] + data, whole[:cut] + data + whole[cut + len(data) :]):
        try:
            part = parse_stats(candidate, SEQUENCE)
        except (ParseError, ReadError):
            continue
        assert all(value >= 0 for figures in part.stats.values() for value in to_counters(figures))


def test_asks_again_when_interfaces_changed_meanwhile() -> None:
    kernel = Kernel([stats(1, flags=MULTI | INTERRUPTED), done()], [stats(1), stats(2), done()])
    assert sorted(StatsSocket(lambda: kernel).read()) == [1, 2]
    assert kernel.questions == 2


def test_on_a_host_that_never_rests_the_third_answer_is_good_enough() -> None:
    restless = [stats(1, flags=MULTI | INTERRUPTED) + done()]
    kernel = Kernel(restless, restless, restless)
    assert list(StatsSocket(lambda: kernel).read()) == [1]


def test_after_an_error_the_socket_is_new() -> None:
    kernel = Kernel([stats(1)], [stats(1) + done()], OSError(errno.ENOBUFS, ""), [stats(2) + done()])
    reader = StatsSocket(lambda: kernel)
    with pytest.raises(ReadError, match="timed out"):
        reader.read()
    assert kernel.closed == 1
    assert list(reader.read()) == [1]
    with pytest.raises(ReadError, match="buffer space"):
        reader.read()
    assert list(reader.read()) == [2]
    reader.close()
    assert kernel.closed == 3


def test_the_question() -> None:
    """struct nlmsghdr: RTM_GETSTATS is 94, a dump; struct if_stats_msg: IFLA_STATS_LINK_64."""
    assert build_question(9) == struct.pack("=IHHIIBBHII", 28, 94, 0x301, 9, 0, 0, 0, 0, 0, 1)
    assert build_question(9, 3) == struct.pack("=IHHIIBBHII", 28, 94, 0x001, 9, 0, 0, 0, 0, 3, 1)


def test_some_are_asked_for_one_by_one() -> None:
    """The answer to a question for one has no end but itself."""
    kernel = Kernel([stats(1, flags=0)], [stats(5, sequence=6, flags=0), stats(3, flags=0)])
    assert sorted(StatsSocket(lambda: kernel).read_some([1, 3])) == [1, 3]
    assert (kernel.questions, list(kernel.pending)) == (2, [])


def test_one_that_has_left_is_told_apart() -> None:
    kernel = Kernel([message(ERROR, struct.pack("=i", -errno.ENODEV) + bytes(16), flags=0)], [stats(1) + done()])
    reader = StatsSocket(lambda: kernel)
    with pytest.raises(ReadError) as gone:
        reader.read_some([4])
    assert gone.value.errno == errno.ENODEV
    assert list(reader.read()) == [1]


def test_the_real_kernel_agrees_with_its_proc_file() -> None:
    reader = StatsSocket()
    before = parse_net_dev(read_file("/proc/net/dev"))
    ours = {socket.if_indextoname(index): to_counters(figures) for index, figures in reader.read().items()}
    one = reader.read_some([socket.if_nametoindex("lo")])
    with pytest.raises(ReadError, match="No such device"):
        reader.read_some([0x7FFFFFFF])
    after = parse_net_dev(read_file("/proc/net/dev"))
    reader.close()
    assert before.keys() == ours.keys()
    assert {socket.if_indextoname(index) for index in one} == {"lo"}
    for name, counters in ours.items():
        assert all(low <= value <= high for low, value, high in zip(before[name], counters, after[name], strict=True))


@pytest.mark.tier("netns")
@isolated
def test_iproute2_agrees() -> None:
    for number in range(150):  # more than one datagram of answer
        ip("link", "add", "dev", f"a{number}", "type", "veth", "peer", "name", f"b{number}")
    ip("link", "set", "dev", "lo", "up")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(20):
            sender.sendto(b"x" * 100, ("127.0.0.1", 9))
    reader = StatsSocket()
    before = reader.read()
    theirs = {link["ifindex"]: link["stats64"] for link in json.loads(ip("-j", "-s", "link"))}
    after = reader.read()
    reader.close()
    assert before.keys() == theirs.keys() == after.keys()
    assert len(before) == 301
    assert sum(to_counters(figures).receive_packets for figures in before.values()) >= 20
    for index, told in theirs.items():
        low, high = to_counters(before[index]), to_counters(after[index])
        receive, transmit = told["rx"], told["tx"]
        assert low.receive_bytes <= receive["bytes"] <= high.receive_bytes
        assert low.transmit_bytes <= transmit["bytes"] <= high.transmit_bytes
        assert low.receive_packets <= receive["packets"] <= high.receive_packets
        assert low.transmit_packets <= transmit["packets"] <= high.transmit_packets
        assert low.receive_multicast <= receive["multicast"] <= high.receive_multicast
        assert low.receive_errors <= receive["errors"] <= high.receive_errors
        assert low.transmit_dropped <= transmit["dropped"] <= high.transmit_dropped
