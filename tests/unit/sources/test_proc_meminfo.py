# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.files import read_file
from hwinfod.sources.proc_meminfo import parse_meminfo, parse_node_meminfo

NODE = b"""\

Node 1 MemTotal:       65891464 kB
Node 1 Active(anon):       1572 kB
Node 1 HugePages_Total:     12
"""


def test_units_become_bytes_and_counts_stay() -> None:
    found = parse_meminfo(b"MemTotal:       24684084 kB\nActive(anon):  7 kB\nHugePages_Total:       3\n")
    assert found == {"MemTotal": 24684084 * 1024, "Active(anon)": 7168, "HugePages_Total": 3}


def test_numa_node() -> None:
    assert parse_node_meminfo(NODE) == {"MemTotal": 65891464 * 1024, "Active(anon)": 1572 * 1024, "HugePages_Total": 12}


@pytest.mark.parametrize("data", [b"MemTotal:\n", b"MemTotal: many kB\n", b"\xff: 1 kB\n"])
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_meminfo(data)


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    for parse in (parse_meminfo, parse_node_meminfo):
        with contextlib.suppress(ParseError):
            assert all(isinstance(value, int) for value in parse(data).values())


def test_the_real_file_agrees_with_psutil() -> None:
    found = parse_meminfo(read_file("/proc/meminfo"))
    assert found["MemTotal"] == psutil.virtual_memory().total
    assert found["SwapTotal"] == psutil.swap_memory().total
    assert abs(found["MemAvailable"] - psutil.virtual_memory().available) < 512 << 20
