# SPDX-License-Identifier: MIT
from __future__ import annotations

import grp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.group import parse_group_id, read_group_id


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"root:x:0:\nhwinfod:x:990:alice,bob\n", 990),
        (b"hwinfod:x:990:", 990),
        (b"hwinfod:x:990:\nhwinfod:x:0:\n", 990),
        (b"hwinfod:x:-1:\nhwinfod:x:991:\n", 991),
        (b"hwinfod:x:12345678901:\n", None),
        (b"hwinfod:x:990\n", None),
        (b"hwinfodx:x:990:\nxhwinfod:x:990:\n", None),
        (b"#hwinfod:x:990:\n", None),
        (b"", None),
    ],
)
def test_the_id_of_a_group(data: bytes, expected: int | None) -> None:
    assert parse_group_id(data, "hwinfod") == expected


def test_this_machines_own_file_says_what_the_c_library_says() -> None:
    name = grp.getgrgid(0).gr_name
    assert read_group_id(name) == 0


@given(st.binary())
def test_anything_is_an_id_or_none(data: bytes) -> None:
    found = parse_group_id(b"hwinfod:x:" + data, "hwinfod")
    assert found is None or 0 <= found < 10**10
