# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.pci_link import (
    Link,
    LinkEnds,
    find_ends,
    is_below,
    narrowest,
    parse_link_speed,
    parse_link_width,
    read_limit,
    read_link,
)
from tests.support.sysfs import put, put_pci

INTEL, AMD, NVIDIA, MELLANOX, BROADCOM = ({"vendor": f"0x{v:04x}"} for v in (0x8086, 0x1002, 0x10DE, 0x15B3, 0x1000))


@pytest.mark.parametrize(("data", "speed"), [
    (b"2.5 GT/s PCIe\n", 2.5), (b"16.0 GT/s PCIe\n", 16.0), (b"64.0 GT/s PCIe\n", 64.0), (b"8 GT/s\n", 8.0),
    (b"Unknown\n", None), (b"Unknown speed\n", None), (b"\n", None), (b"nan GT/s\n", None), (b"-8 GT/s\n", None),
    (b"16.0\n", None),
])  # fmt: skip
def test_speeds(data: bytes, speed: float | None) -> None:
    assert parse_link_speed(data) == speed


@pytest.mark.parametrize(("data", "width"), [
    (b"16\n", 16), (b"1\n", 1), (b"0\n", None), (b"63\n", None), (b"255\n", None), (b"\n", None), (b"x16\n", None),
])  # fmt: skip
def test_widths(data: bytes, width: int | None) -> None:
    assert parse_link_width(data) == width


@given(st.binary() | st.floats().map(lambda number: f"{number} GT/s PCIe".encode()))
def test_arbitrary_bytes(data: bytes) -> None:
    speed = parse_link_speed(data)
    assert speed is None or 0 < speed <= 1024
    assert parse_link_width(data) in (None, 1, 2, 4, 8, 12, 16, 32)


def test_the_link_of_a_card(tmp_path: Path) -> None:
    port = put_pci(tmp_path, "0000:15:01.0", {**INTEL, "max_link_speed": "32.0 GT/s PCIe", "max_link_width": 8})
    card = put_pci(
        tmp_path,
        "0000:15:01.0/0000:16:00.0",
        {**NVIDIA, "max_link_speed": "16.0 GT/s PCIe", "max_link_width": 16,
         "current_link_speed": "2.5 GT/s PCIe", "current_link_width": 8},
    )  # fmt: skip
    ends = find_ends(str(card))
    assert ends == LinkEnds(str(card), str(port))
    limit = narrowest(read_limit(ends.near), read_limit(ends.far))
    assert limit == Link(16.0, 8)
    assert read_link(ends.near) == Link(2.5, 8)
    put(card, {"current_link_speed": "Unknown", "current_link_width": 63})  # it fell off the bus
    assert read_link(ends.near) == Link(None, None)
    (card / "current_link_speed").unlink()
    assert read_link(ends.near) == Link(None, None)


def test_a_function_of_the_root_complex_has_no_link(tmp_path: Path) -> None:
    assert find_ends(str(put_pci(tmp_path, "0000:00:02.0", INTEL))) is None


def test_a_card_of_the_hosts_own_vendor(tmp_path: Path) -> None:
    """An Intel card in an Intel port: the port is not a switch on the card."""
    port = put_pci(tmp_path, "0000:37:03.0", INTEL)
    card = put_pci(tmp_path, "0000:37:03.0/0000:3a:00.0", INTEL)
    assert find_ends(str(card)) == LinkEnds(str(card), str(port))


@pytest.mark.parametrize("vendor", [AMD, MELLANOX])
def test_the_switch_on_the_card_belongs_to_the_card(tmp_path: Path, vendor: dict[str, object]) -> None:
    port = put_pci(tmp_path, "0000:00:01.1", INTEL)
    upstream = put_pci(tmp_path, "0000:00:01.1/0000:03:00.0", vendor)
    put_pci(tmp_path, "0000:00:01.1/0000:03:00.0/0000:04:00.0", vendor)
    gpu = put_pci(tmp_path, "0000:00:01.1/0000:03:00.0/0000:04:00.0/0000:05:00.0", vendor)
    assert find_ends(str(gpu)) == LinkEnds(str(upstream), str(port))


def test_the_switch_of_a_board_is_where_the_link_ends(tmp_path: Path) -> None:
    put_pci(tmp_path, "0000:15:01.0", INTEL)
    put_pci(tmp_path, "0000:15:01.0/0000:16:00.0", BROADCOM)
    downstream = put_pci(tmp_path, "0000:15:01.0/0000:16:00.0/0000:17:00.0", BROADCOM)
    gpu = put_pci(tmp_path, "0000:15:01.0/0000:16:00.0/0000:17:00.0/0000:18:00.0", NVIDIA)
    assert find_ends(str(gpu)) == LinkEnds(str(gpu), str(downstream))


@pytest.mark.parametrize(("link", "below"), [
    (Link(16.0, 16), False), (Link(16.0, 8), True), (Link(8.0, 16), True), (Link(32.0, 32), False),
    (Link(None, 16), None), (Link(16.0, None), None),
])  # fmt: skip
def test_below(link: Link, *, below: bool | None) -> None:
    assert is_below(link, Link(16.0, 16)) is below
    assert is_below(link, Link(None, None)) is None
    assert narrowest(link, Link(None, None)) == Link(None, None)
