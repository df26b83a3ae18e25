# SPDX-License-Identifier: MIT
"""The column codec is lossless for anything a row may hold, and small for what hosts really hold."""

from __future__ import annotations

import contextlib
import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hwinfod.core import codec
from hwinfod.errors import ParseError
from tests.unit.core.builders import identical

NAN_WITH_PAYLOAD = struct.unpack("<d", struct.pack("<Q", 0x7FF8DEADBEEF0001))[0]

any_float = st.floats(allow_nan=True, allow_infinity=True, width=64)
any_value = st.one_of(st.none(), st.integers(-(2**70), 2**70), any_float)
columns = st.one_of(
    st.lists(any_value, min_size=1, max_size=70),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=70),
    st.lists(any_float, min_size=1, max_size=70),
    st.lists(st.integers(0, 10**7).map(lambda n: n / 1000), min_size=1, max_size=70),
    st.lists(st.one_of(st.none(), st.integers(0, 300)), min_size=1, max_size=70),
    st.lists(st.tuples(st.integers(-(2**62), 2**62), st.integers(1, 600)), min_size=1, max_size=4).map(
        lambda runs: [value for value, rows in runs for _ in range(rows)]
    ),
    st.tuples(any_value, st.integers(1, 70)).map(lambda pair: [pair[0]] * pair[1]),
)


@given(columns)
@example([NAN_WITH_PAYLOAD, 1.0])
@example([0.0, -0.0])
@example([-0.0] * 5)
@example([0, 0.0])
@example([2**63 - 1, -(2**63)])
@example([1, True + 0, 1.0])
@example([None, 5, None])
@example([1e300, 1e-300])
@example([float(2**53 + 2), 1.5])
def test_what_goes_in_comes_out(column):
    code, payload = codec.encode(column)
    assert identical(codec.decode(code, payload, len(column)), column)
    assert codec.payload_size(code, b"xyz" + payload + b"rest", 3, len(column)) == len(payload)


@pytest.mark.parametrize(
    ("column", "most_bytes"),
    [
        ([7] * 60, 8),
        ([None] * 60, 0),
        ([36.625] * 60, 8),
        (list(range(0, 6000, 100)), 16 + 59),
        ([4096 * (i * i % 90) for i in range(60)], 16 + 59),
        ([45.0 + (i % 7) / 8 for i in range(60)], 8 + 2 * 59),
        ([round(i * 0.37, 2) for i in range(60)], 8 + 59),
        ([5] * 300 + [6] * 600 + [-100] * 60, 8 + 2 + 2 * 5),
    ],
    ids=["constant integer", "absent", "constant float", "steady counter", "pages", "temperature", "decimal", "seldom"],
)
def test_what_hosts_hold_is_small(column, most_bytes):
    assert len(codec.encode(column)[1]) <= most_bytes


def test_a_float_without_a_decimal_form_is_kept_by_its_bits():
    column = [math.pi * i for i in range(1, 60)]
    code, payload = codec.encode(column)
    assert code == codec.XOR
    assert identical(codec.decode(code, payload, len(column)), column)


@given(st.integers(0, 255), st.binary(max_size=200), st.integers(1, 70))
def test_damaged_bytes_raise_nothing_else(code, payload, count):
    with contextlib.suppress(ParseError):
        size = codec.payload_size(code, payload, 0, count)
        codec.decode(code, payload[:size], count)
