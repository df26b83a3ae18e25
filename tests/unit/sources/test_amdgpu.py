# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources import amdgpu
from hwinfod.sources.files import Roots
from tests.support.sysfs import put, put_pci

IDS = b"""# comment
1.0.0
73BF,	C0,	AMD Radeon RX 6900 XT
73BF,	C3,	AMD Radeon RX 6800
74A1,	00,	AMD Instinct MI300X
74A1
"""


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"cfc7b4d5b96c0a10\n", "cfc7b4d5b96c0a10"), (b"1f\n", "000000000000001f"), (b"0\n", "")],
)
def test_unique_id(data, expected):
    assert amdgpu.parse_unique_id(data) == expected


@pytest.mark.parametrize("data", [b"", b"N/A", b"1" * 17, b"-1"])
def test_no_unique_id(data):
    with pytest.raises(ParseError):
        amdgpu.parse_unique_id(data)


def test_clock_levels():
    clock = amdgpu.parse_clock(b"0: 500Mhz \n1: 800Mhz *\n2: 2495Mhz \n")
    assert clock == amdgpu.Clock((500_000_000, 800_000_000, 2_495_000_000), 800_000_000)


def test_a_clock_that_sleeps_is_at_no_level():
    assert amdgpu.parse_clock(b"S: 19Mhz *\n0: 500Mhz \n") == amdgpu.Clock((500_000_000,), 19_000_000)


def test_error_counts():
    assert amdgpu.parse_error_counts(b"ue: 1\nce: 12\n") == {"uncorrected": 1, "corrected": 12}
    assert amdgpu.parse_error_counts(b"ue: 0\nce: 0\nde: 4\n")["deferred"] == 4


def test_bad_pages():
    data = b"0x00000001 : 0x00001000 : R\n0x00000002 : 0x00001000 : P\n0x00000003 : 0x00001000 : R\n"
    assert amdgpu.parse_bad_pages(data) == {"retired": 2, "pending": 1, "failed": 0}


@pytest.mark.parametrize("parse", [amdgpu.parse_clock, amdgpu.parse_error_counts, amdgpu.parse_bad_pages])
def test_what_is_not_documented_is_refused(parse):
    with pytest.raises(ParseError):
        parse(b"Total errors: many\n")


@pytest.mark.parametrize(
    "parse",
    [amdgpu.parse_unique_id, amdgpu.parse_clock, amdgpu.parse_error_counts, amdgpu.parse_bad_pages],
)
@given(data=st.binary(max_size=200) | st.text("uced: 0129Mhz*\nRPFxS", max_size=80).map(str.encode))
def test_arbitrary_bytes(parse, data):
    try:
        found = parse(data)
    except ParseError:
        return
    assert found is not None


@given(st.binary(max_size=200) | st.text("74A1,\t0\n", max_size=80).map(str.encode))
def test_arbitrary_lists_of_names(data):
    assert all(isinstance(name, str) for name in amdgpu.parse_market_names(data, 0x74A1).values())


def test_market_names(tmp_path: Path) -> None:
    put(tmp_path, {"usr/share/libdrm/amdgpu.ids": IDS})
    roots = Roots(rootfs=str(tmp_path))
    assert amdgpu.read_market_name(roots, 0x74A1, 0) == "AMD Instinct MI300X"
    assert amdgpu.read_market_name(roots, 0x73BF, 0xC3) == "AMD Radeon RX 6800"
    assert amdgpu.read_market_name(roots, 0x73BF, None) == "AMD Radeon RX 6900 XT"
    assert amdgpu.read_market_name(roots, 0x1234, 0) == ""
    assert amdgpu.read_market_name(Roots(rootfs=str(tmp_path / "none")), 0x74A1, 0) == ""


def test_identity_of_a_board_that_says_nothing(tmp_path: Path) -> None:
    assert amdgpu.read_identity(str(tmp_path)) == amdgpu.Identity("", "", "", "", "")
    put(tmp_path, {"unique_id": "garbage"})
    assert amdgpu.read_identity(str(tmp_path)).unique_id == ""


def test_only_amd_functions_that_compute_or_show_are_gpus(tmp_path: Path) -> None:
    roots = Roots(sysfs=str(tmp_path))
    for address, vendor, kind in (
        ("0000:03:00.0", "0x1002", "0x030000"),
        ("0000:03:00.1", "0x1002", "0x040300"),
        ("0000:04:00.0", "0x10de", "0x030200"),
        ("0000:05:00.0", "0x1002", "0x120000"),
    ):
        put_pci(tmp_path, f"0000:00:01.0/{address}", {"vendor": vendor, "device": "0x74a1", "class": kind})
    found = [n for n in range(3, 6) for f in range(2) if amdgpu.read_amd_gpu(roots, f"0000:{n:02x}:00.{f}")]
    assert found == [3, 5]
