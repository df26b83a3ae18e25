# SPDX-License-Identifier: MIT
from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.nvml_fields import parse_field_values

RECORD = struct.Struct("=IIqqIi8s")


def record(kind: int, raw: bytes, code: int = 0) -> bytes:
    return RECORD.pack(186, 0, 0, 0, kind, code, raw.ljust(8, b"\xaa"))


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (0, struct.pack("=d", 2.5), 2.5),
        (0, struct.pack("=d", math.nan), None),
        (0, struct.pack("=d", math.inf), None),
        (1, struct.pack("=I", 7), 7),
        (1, struct.pack("=I", 0xFFFFFFFF), None),
        (2, struct.pack("=Q", 1 << 40), 1 << 40),
        (3, struct.pack("=Q", (1 << 64) - 1), None),
        (4, struct.pack("=q", -5), -5),
        (5, struct.pack("=i", -1), -1),
        (6, struct.pack("=H", 9), 9),
        (6, struct.pack("=H", 0xFFFF), None),
        (99, b"", None),
    ],
)
def test_a_value_is_what_its_type_says(kind: int, raw: bytes, value: float | None) -> None:
    """What stands behind a value narrower than eight bytes is nobody's."""
    assert parse_field_values(record(kind, raw)) == [(0, value)]


def test_a_field_that_failed_has_no_value() -> None:
    data = record(1, struct.pack("=I", 7), code=3) + record(1, struct.pack("=I", 8))
    assert parse_field_values(data) == [(3, None), (0, 8)]


@given(st.lists(st.binary(min_size=RECORD.size, max_size=RECORD.size), max_size=4))
def test_anything_is_numbers_or_nothing(records: list[bytes]) -> None:
    values = parse_field_values(b"".join(records))
    assert len(values) == len(records)
    assert all(value is None or math.isfinite(value) for _, value in values)
