# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from hwinfod.errors import Gone, ParseError
from hwinfod.sources.files import Roots
from hwinfod.sources.thermal_zone import ThermalZone, ZoneReader, list_zones, read_zone
from tests.support.sysfs import put

ZONE = {"type": "x86_pkg_temp", "temp": 41500, "trip_point_0_type": "passive", "trip_point_0_temp": 90000,
        "trip_point_1_type": "critical", "trip_point_1_temp": 99000}  # fmt: skip


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots(sysfs=str(tmp_path))


def test_zones(roots: Roots, tmp_path: Path) -> None:
    bridged = {"type": "acpitz", "temp": 27800, "hwmon0/temp1_input": 27800}
    put(tmp_path / "class/thermal/thermal_zone0", {**bridged, "trip_point_0_type": "critical", "trip_point_0_temp": 0})
    put(tmp_path / "class/thermal/thermal_zone1", ZONE)
    put(tmp_path / "class/thermal/cooling_device0", {"type": "Processor"})
    zones = [read_zone(roots, name) for name in list_zones(roots)]
    assert zones == [
        ThermalZone("thermal_zone0", "acpitz", None, is_in_hwmon=True),
        ThermalZone("thermal_zone1", "x86_pkg_temp", 99.0, is_in_hwmon=False),
    ]
    assert [ZoneReader(roots, zone).read() for zone in zones] == [27.8, 41.5]


def test_a_zone_without_a_reading(roots: Roots, tmp_path: Path) -> None:
    directory = put(tmp_path / "class/thermal/thermal_zone0", {**ZONE, "temp": -274000})
    reader = ZoneReader(roots, read_zone(roots, "thermal_zone0"))
    assert reader.read() is None
    put(directory, {"temp": b"\xff\x00"})
    with pytest.raises(ParseError):
        reader.read()
    (directory / "temp").unlink()
    with pytest.raises(Gone):
        reader.read()
    reader.close()
