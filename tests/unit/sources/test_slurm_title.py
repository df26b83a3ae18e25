# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.slurm_title import parse_step_title


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (b"slurmstepd: [3385.0]\0\0\0", "3385"),  # docs/cgroup_v2.html
        (b"slurmstepd: [3385.interactive]\0", "3385"),
        (b"slurmstepd: [3385.batch stepmgr]\0", "3385"),
        (b"slurmstepd: [s5K1KKYAYG5D00.batch]\0", ""),  # before it heard the number
        (b"slurmstepd: [3385:namespace]\0", ""),
        (b"slurmstepd: [.0]\0", ""),
        (b"slurmstepd: [12345678901.0]\0", ""),
        (b"/usr/sbin/slurmstepd\0infinity\0", ""),
        (b"", ""),
    ],
)
def test_titles(data: bytes, number: str) -> None:
    assert parse_step_title(data) == number


@given(st.binary(), st.booleans())
def test_arbitrary_bytes(data: bytes, begins: bool) -> None:
    number = parse_step_title((b"slurmstepd: [" if begins else b"") + data)
    assert number == "" or (number.isascii() and number.isdigit())
