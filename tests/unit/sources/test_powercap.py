# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.files import Roots
from hwinfod.sources.powercap import EnergyReader, RaplZone, energy_between, read_zones
from tests.support.sysfs import put

RANGE = 262143328850


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    base = tmp_path / "class/powercap"
    for name, domain in {
        "intel-rapl:0": "package-0",
        "intel-rapl:0:0": "core",
        "intel-rapl:0:1": "dram",
        "intel-rapl:1": "package-1-die-1",
        "intel-rapl:1:0": "dram",
        "intel-rapl:2": "psys",
        "intel-rapl-mmio:0": "package-0",
    }.items():
        put(base / name, {"name": domain, "max_energy_range_uj": RANGE, "energy_uj": 4711})
    put(base / "intel-rapl", {"enabled": 1})
    put(base / "dtpm", {"enabled": 1})
    return Roots(sysfs=str(tmp_path))


def test_zones(roots: Roots) -> None:
    assert read_zones(roots) == [
        RaplZone("intel-rapl:0", "package", "0", RANGE),
        RaplZone("intel-rapl:0:0", "core", "0", RANGE),
        RaplZone("intel-rapl:0:1", "dram", "0", RANGE),
        RaplZone("intel-rapl:1", "package", "1-die-1", RANGE),
        RaplZone("intel-rapl:1:0", "dram", "1-die-1", RANGE),
        RaplZone("intel-rapl:2", "psys", "", RANGE),
    ]
    assert EnergyReader(roots, read_zones(roots)[0]).read() == 4711


def test_zones_without_a_range_are_no_counters(roots: Roots, tmp_path: Path) -> None:
    put(tmp_path / "class/powercap/intel-rapl:0", {"max_energy_range_uj": 0})
    assert "intel-rapl:0" not in {zone.name for zone in read_zones(roots)}


def test_no_rapl(tmp_path: Path) -> None:
    assert read_zones(Roots(sysfs=str(tmp_path))) == []


def test_a_wrap() -> None:
    assert energy_between(RANGE, 0, RANGE) == 1
    assert energy_between(RANGE - 5, 4, RANGE) == 10


@given(st.integers(1, 1 << 62).flatmap(lambda r: st.tuples(st.just(r), st.integers(0, r), st.integers(0, r))))
def test_energy_is_what_a_counter_that_never_wraps_would_say(case: tuple[int, int, int]) -> None:
    range_, before, used = case
    assert energy_between(before, (before + used) % (range_ + 1), range_) == used
