# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.proc_loadavg import LoadAverage, parse_loadavg, parse_uptime


def test_loadavg() -> None:
    assert parse_loadavg(b"0.20 0.18 12.12 1/80 11206\n") == LoadAverage(0.20, 0.18, 12.12, threads=80)


def test_uptime() -> None:
    assert parse_uptime(b"3542134.75 128734.09\n") == 3542134.75


@pytest.mark.parametrize("data", [b"", b"1 2\n", b"1 2 3 4\n", b"nan 0.1 0.1 1/2 3\n", b"inf 0.1 0.1 1/2 3\n"])
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_loadavg(data)


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        assert math.isfinite(parse_loadavg(data).one_minute)
    with contextlib.suppress(ParseError):
        assert math.isfinite(parse_uptime(data))
