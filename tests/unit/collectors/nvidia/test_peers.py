# SPDX-License-Identifier: MIT
"""What NVLinks lead to, as the inventory has it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.collectors._gpu_peers import parse_peers, write_peers
from hwinfod.sources.nvml import parse_bus_id
from hwinfod.sources.pci import is_pci_address
from tests.support import nvml_profiles as profiles
from tests.support.nvml_machine import Machine
from tests.support.nvml_profiles import uuid

Start = Callable[..., Machine]

pytestmark = pytest.mark.tier("compiler")


def peers(machine: Machine, gpu: int = 0) -> str:
    bench = machine.bench()
    bench.run()
    return bench.host.devices.current[uuid(gpu)].facts["nvlink_peers"]


def test_links_to_a_switch(start: Start) -> None:
    assert peers(start(profiles.h100(2))) == "nvswitch x18"


def test_links_to_other_gpus(start: Start) -> None:
    """A V100 of a DGX-1: two links to one neighbour, one to another, one that is down, one to what is not told."""
    machine = start(profiles.a100(3) | {"gpu.0.field.91": "1:5"})
    machine.fake.remove("gpu.0.nvlink")
    links = {0: "00000000:1C:00.0", 1: "00000000:1C:00.0", 2: "00000000:1D:00.0", 4: "unknown"}
    machine.fake.update({f"gpu.0.nvlink.remote.pci.{link}": place for link, place in links.items()})
    machine.fake.update({f"gpu.0.nvlink.remote.type.{link}": 0 for link in (0, 1)})
    assert peers(machine) == "0000:1c:00.0 x2, 0000:1d:00.0 x1"


@pytest.mark.parametrize("state", [profiles.geforce(), profiles.a100(1) | {"gpu.0.field.91": "!999"}])
def test_none(start: Start, state: dict[str, object]) -> None:
    assert peers(start(state)) == ""


@pytest.mark.parametrize(("bus_id", "address"), [
    (b"00000000:1B:00.0", "0000:1b:00.0"), ("00010000:1B:00.0", "10000:1b:00.0"), (b"", ""), (b"1B:00.0", ""),
    (b"\xff", ""),
])  # fmt: skip
def test_addresses(bus_id: bytes | str, address: str) -> None:
    assert parse_bus_id(bus_id) == address


@given(st.binary() | st.text())
def test_any_bus_id(bus_id: bytes | str) -> None:
    address = parse_bus_id(bus_id)
    assert address == "" or is_pci_address(address)


@given(st.dictionaries(st.sampled_from(["0000:1c:00.0", "0000:1d:00.0", "nvswitch"]), st.none() | st.integers(1, 36)))
def test_a_fact_is_read_as_it_was_written(links: dict[str, int | None]) -> None:
    assert parse_peers(write_peers(links)) == links
