# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.cgroup_stat import (
    DeviceBytes,
    RdmaObjects,
    parse_blkio,
    parse_figure,
    parse_io,
    parse_limit,
    parse_rdma,
    parse_value,
)

# Linux 6.8, a container with a quota of half a processor.
CPU_STAT = b"""usage_usec 3100492
user_usec 2019343
system_usec 1081149
core_sched.force_idle_usec 0
nr_periods 62
nr_throttled 58
throttled_usec 2867211
nr_bursts 0
burst_usec 0
"""
IO_STAT = b"""8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021
259:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0
7:1
"""
BLKIO = b"""8:0 Read 1228800
8:0 Write 4096
8:0 Sync 1232896
8:0 Async 0
8:0 Discard 0
8:0 Total 1232896
Total 1232896
"""


def test_values_are_found_by_their_whole_key() -> None:
    assert parse_value(CPU_STAT, b"usage_usec") == 3100492
    assert parse_value(CPU_STAT, b"throttled_usec") == 2867211
    assert parse_value(CPU_STAT, b"burst_usec") == 0
    assert parse_value(CPU_STAT, b"sec") is None
    assert parse_value(b"oom 3\noom_kill 2", b"oom_kill") == 2
    assert parse_value(b"", b"anon") is None


def test_no_limit_is_absent_in_both_versions() -> None:
    assert parse_limit(b"max\n") is None
    assert parse_limit(b"9223372036854771712\n") is None
    assert parse_limit(b"536870912\n") == 536870912


def test_bytes_by_device() -> None:
    assert parse_io(IO_STAT) == [DeviceBytes("8:0", 90430464, 299008000), DeviceBytes("259:0", 4096, 0)]
    assert parse_blkio(BLKIO) == [DeviceBytes("8:0", 1228800, 4096)]
    assert parse_io(b"") == []


def test_objects_by_rdma_device() -> None:
    current = b"mlx4_0 hca_handle=2 hca_object=2000\nocrdma1 hca_handle=3 hca_object=max\n"
    assert parse_rdma(current.splitlines()[0]) == [RdmaObjects("mlx4_0", 2, 2000)]
    assert parse_rdma(b"") == []
    assert parse_rdma(b"mlx5_0 hca_handle=1 hca_object=2 hca_later=3\nodd\n") == [RdmaObjects("mlx5_0", 1, 2)]
    with pytest.raises(ParseError):
        parse_rdma(current)


@pytest.mark.parametrize("data", [b"usage_usec x\n", b"usage_usec \n"])
def test_a_value_that_is_no_number(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_value(data, b"usage_usec")


@given(st.one_of(st.binary(), st.text("maxrbytesw=:0123 \nRead", max_size=80).map(str.encode)))
def test_anything_is_parsed_or_refused(data: bytes) -> None:
    for parse in (parse_figure, parse_limit, parse_io, parse_blkio, parse_rdma, lambda d: parse_value(d, b"m")):
        with contextlib.suppress(ParseError):
            parse(data)


def test_a_figure_too_long_for_python_is_refused() -> None:
    with pytest.raises(ParseError):
        parse_figure(b"9" * 5000)
