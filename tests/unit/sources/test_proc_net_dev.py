# SPDX-License-Identifier: MIT
from __future__ import annotations

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.files import read_file
from hwinfod.sources.proc_net_dev import InterfaceCounters, parse_net_dev

HEADER = (
    b"Inter-|   Receive                                                |  Transmit\n"
    b" face |bytes    packets errs drop fifo frame compressed multicast"
    b"|bytes    packets errs drop fifo colls carrier compressed\n"
)
DATA = (
    HEADER
    + b"""\
    lo:  718627     328    0    0    0     0          0         0   718627     328    0    0    0     0       0      0
ens1np0: 9007199254740993 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
eth0:1:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17
"""
)


def test_columns() -> None:
    assert parse_net_dev(DATA)["ens1np0"] == InterfaceCounters(
        receive_bytes=9007199254740993,
        receive_packets=2,
        receive_errors=3,
        receive_dropped=4,
        receive_fifo_errors=5,
        receive_frame_errors=6,
        receive_multicast=8,
        transmit_bytes=9,
        transmit_packets=10,
        transmit_errors=11,
        transmit_dropped=12,
        transmit_carrier_errors=15,
    )


def test_names() -> None:
    """The kernel pads short names, glues numbers to the colon, and lets an alias have one of its own."""
    assert list(parse_net_dev(DATA)) == ["lo", "ens1np0", "eth0:1"]
    assert parse_net_dev(HEADER) == {}


@pytest.mark.parametrize("data", [b"", b"\n\n", HEADER + b"eth0 1 2 3\n", HEADER + b"eth0: 1 2 3\n",
                                  HEADER + b"eth0:" + b" x" * 16, DATA[:-30]])  # fmt: skip
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_net_dev(data)


@given(st.binary() | st.text("0123456789: |\neth").map(str.encode))
def test_arbitrary_bytes(data: bytes) -> None:
    for candidate in (data, HEADER + data, DATA + data):
        try:
            counters = parse_net_dev(candidate)
        except ParseError:
            continue
        assert all(isinstance(value, int) for line in counters.values() for value in line)


def test_the_real_file_agrees_with_psutil() -> None:
    before = psutil.net_io_counters(pernic=True, nowrap=False)
    ours = parse_net_dev(read_file("/proc/net/dev"))
    after = psutil.net_io_counters(pernic=True, nowrap=False)
    common = before.keys() & ours.keys() & after.keys()
    assert common, "every network namespace has lo"
    for name in common:
        assert before[name].bytes_recv <= ours[name].receive_bytes <= after[name].bytes_recv
        assert before[name].packets_sent <= ours[name].transmit_packets <= after[name].packets_sent
        assert before[name].dropin <= ours[name].receive_dropped <= after[name].dropin
        assert before[name].errout <= ours[name].transmit_errors <= after[name].errout
