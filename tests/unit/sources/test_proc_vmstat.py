# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.files import read_file
from hwinfod.sources.proc_vmstat import parse_vmstat


def test_vmstat() -> None:
    assert parse_vmstat(b"pswpin 5\npswpout 6\noom_kill 0\n") == {b"pswpin": 5, b"pswpout": 6, b"oom_kill": 0}


def test_numastat_of_a_node() -> None:
    assert parse_vmstat(b"numa_hit 99886447\nnuma_miss 0\n")[b"numa_hit"] == 99886447


@pytest.mark.parametrize("data", [b"pswpin\n", b"pswpin many\n", b"a 1 b\n"])
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_vmstat(data)


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        assert all(isinstance(value, int) for value in parse_vmstat(data).values())


def test_the_real_file() -> None:
    assert parse_vmstat(read_file("/proc/vmstat"))[b"pgfault"] > 0
