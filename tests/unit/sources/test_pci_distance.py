# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.pci_distance import Distance, PciPlace, distance, parse_ancestors, read_place
from tests.support.sysfs import put_pci

SWITCH = "pci0000:15 0000:15:01.0 0000:16:00.0"
DEEP = f"{SWITCH} 0000:17:00.0 0000:18:00.0"


def place(chain: str, numa_node: int | None = 0) -> PciPlace:
    return PciPlace(tuple(chain.split()), numa_node)


@pytest.mark.parametrize(("one", "other", "between"), [
    (place(f"{SWITCH} 0000:17:00.0 0000:18:00.0"), place(f"{SWITCH} 0000:17:00.0 0000:18:00.0"), Distance.X),
    (place(f"{SWITCH} 0000:17:00.0 0000:18:00.0"), place(f"{SWITCH} 0000:17:01.0 0000:19:00.0"), Distance.PIX),
    # two functions of one card
    (place("pci0000:37 0000:37:03.0 0000:3a:00.0"), place("pci0000:37 0000:37:03.0 0000:3a:00.1"), Distance.PIX),
    # the switch below another switch
    (place(f"{DEEP} 0000:19:00.0 0000:1a:00.0"), place(f"{SWITCH} 0000:17:01.0 0000:1c:00.0"), Distance.PXB),
    (place(f"{DEEP} 0000:19:00.0 0000:1a:00.0"), place(f"{DEEP} 0000:19:01.0 0000:1b:00.0"), Distance.PIX),
    (place("pci0000:37 0000:37:01.0 0000:38:00.0"), place("pci0000:37 0000:37:02.0 0000:39:00.0"), Distance.PHB),
    (place("pci0000:00 0000:00:02.0"), place("pci0000:00 0000:00:01.0 0000:01:00.0"), Distance.PHB),
    (place("pci0000:37 0000:37:01.0 0000:38:00.0"), place("pci0000:15 0000:15:01.0 0000:18:00.0"), Distance.NODE),
    (place("pci0000:37 0000:37:01.0 0000:38:00.0"), place("pci0000:97 0000:97:01.0 0000:98:00.0", 1), Distance.SYS),
    # one node, of which firmware says nothing; then of one of two
    (place("pci0000:37 0000:37:01.0", None), place("pci0000:97 0000:97:01.0", None), Distance.NODE),
    (place("pci0000:37 0000:37:01.0", None), place("pci0000:97 0000:97:01.0", 0), Distance.SYS),
    # a drive behind VMD, and one beside it
    (place("pci0000:00 0000:00:0e.0 pci10000:e0 10000:e0:06.0 10000:e1:00.0"), place("pci0000:00 0000:00:06.0"),
     Distance.PHB),
    (place("", 0), place("pci0000:00 0000:00:06.0", 0), Distance.NODE),
    (place("", 0), place("", 0), Distance.NODE),
])  # fmt: skip
def test_what_lies_between(one: PciPlace, other: PciPlace, between: Distance) -> None:
    assert distance(one, other) is between
    assert distance(other, one) is between


def test_ancestors_are_what_is_on_pci() -> None:
    path = "/sys/devices/platform/soc/pci0000:15/0000:15:01.0/0000:16:00.0/infiniband/mlx5_0"
    assert parse_ancestors(path) == ("pci0000:15", "0000:15:01.0", "0000:16:00.0")
    assert parse_ancestors("/sys/devices/virtual/net/lo") == ()


CHAINS = st.lists(st.sampled_from("pci0000:00 pci0000:80 0000:00:01.0 0000:01:00.0 0000:02:00.0".split()), max_size=6)
PLACES = st.builds(PciPlace, CHAINS.map(tuple), st.none() | st.integers(0, 1))


@given(PLACES, PLACES)
def test_any_two_places(one: PciPlace, other: PciPlace) -> None:
    between = distance(one, other)
    assert between is distance(other, one)
    assert (between is Distance.X) == (one.ancestors == other.ancestors != ())


@given(st.text(st.characters(codec="utf-8")))
def test_any_path(path: str) -> None:
    assert all(part in path.split("/") for part in parse_ancestors(path))


def test_a_switch_on_the_card_is_a_part_of_it(tmp_path: Path) -> None:
    """An MI210 and a network card below one switch of the host: that one counts, the GPU's own does not."""
    amd, broadcom, mellanox = ({"vendor": vendor} for vendor in ("0x1002", "0x1000", "0x15b3"))
    put_pci(tmp_path, "0000:15:01.0", {"vendor": "0x8086"})
    switch = "0000:15:01.0/0000:16:00.0"
    put_pci(tmp_path, switch, broadcom)
    for slot in ("0000:17:00.0", "0000:17:01.0"):
        put_pci(tmp_path, f"{switch}/{slot}", broadcom)
    own = f"{switch}/0000:17:00.0/0000:18:00.0"
    put_pci(tmp_path, own, amd)
    put_pci(tmp_path, f"{own}/0000:19:00.0", amd)
    gpu = put_pci(tmp_path, f"{own}/0000:19:00.0/0000:1a:00.0", {**amd, "numa_node": 1})
    nic = put_pci(tmp_path, f"{switch}/0000:17:01.0/0000:1b:00.0", {**mellanox, "numa_node": 1})
    assert read_place(str(gpu)).ancestors == (
        "pci0000:15", "0000:15:01.0", "0000:16:00.0", "0000:17:00.0", "0000:1a:00.0",
    )  # fmt: skip
    assert read_place(str(nic)) == PciPlace(
        ("pci0000:15", "0000:15:01.0", "0000:16:00.0", "0000:17:01.0", "0000:1b:00.0"), 1
    )
    assert distance(read_place(str(gpu)), read_place(str(nic))) is Distance.PIX


def test_two_functions_behind_the_switch_of_their_card(tmp_path: Path) -> None:
    """A BlueField: not the same device, and nothing lies between them."""
    mellanox = {"vendor": "0x15b3"}
    put_pci(tmp_path, "0000:15:01.0", {"vendor": "0x8086"})
    for own in ("0000:16:00.0", "0000:16:00.0/0000:17:00.0"):
        put_pci(tmp_path, f"0000:15:01.0/{own}", mellanox)
    functions = [put_pci(tmp_path, f"0000:15:01.0/0000:16:00.0/0000:17:00.0/0000:18:00.{n}", mellanox) for n in (0, 1)]
    one, other = (read_place(str(directory)) for directory in functions)
    assert distance(one, other) is Distance.PIX


def test_a_node_that_firmware_does_not_tell(tmp_path: Path) -> None:
    device = put_pci(tmp_path, "0000:00:01.0", {"vendor": "0x8086", "numa_node": -1})
    assert read_place(str(device)).numa_node is None
