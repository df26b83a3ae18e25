# SPDX-License-Identifier: MIT
from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import Gone, ParseError
from hwinfod.sources.files import Roots
from hwinfod.sources.hwmon import Chip, SensorReader, list_chips, parse_channels, read_chip, to_base_unit
from tests.support.sysfs import put, put_hwmon, put_pci

CORETEMP = {
    "name": "coretemp", "temp1_input": 41000, "temp1_label": "Package id 0", "temp1_crit": 99000, "temp1_max": 89000,
    "temp10_input": 40000, "temp10_label": "Core 8", "temp2_input": 39000, "temp2_label": "Core 0",
    "temp2_crit_alarm": 0,
}  # fmt: skip
SUPPLY = {
    "name": "pmbus", "in1_input": 230125, "in1_label": "vin", "curr1_input": 4250, "curr1_max": 16000,
    "power1_input": 980_000_000, "power1_average": 970_000_000, "power1_cap": 2_700_000_000, "fan1_input": 9800,
    "fan1_min": 1000, "pwm1": 128, "intrusion0_alarm": 0, "temp1_offset": 0, "energy1_input": 7, "in0_average": 1,
}  # fmt: skip


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots(sysfs=str(tmp_path))


def values(roots: Roots, chip: Chip) -> dict[str, float]:
    return {sensor.channel: SensorReader(roots, chip, sensor).read() for sensor in chip.sensors}


def test_a_processor(roots: Roots, tmp_path: Path) -> None:
    put_hwmon(tmp_path, 3, CORETEMP, put(tmp_path / "devices/platform/coretemp.0", {}))
    assert list(list_chips(roots)) == ["hwmon3"]
    chip = read_chip(roots, "hwmon3")
    assert (chip.name, chip.device, chip.pci_directory, chip.is_suspended) == ("coretemp", "coretemp.0", "", False)
    assert [(sensor.channel, sensor.label) for sensor in chip.sensors] == [
        ("temp1", "Package id 0"),
        ("temp2", "Core 0"),
        ("temp10", "Core 8"),
    ]
    assert chip.sensors[0].limits == (("high", 89.0), ("critical", 99.0))
    assert values(roots, chip) == {"temp1": 41.0, "temp2": 39.0, "temp10": 40.0}


def test_units_of_a_power_supply(roots: Roots, tmp_path: Path) -> None:
    put_hwmon(tmp_path, 0, SUPPLY, put(tmp_path / "devices/pci0000:00/0000:00:1f.4/i2c-0/0-0058", {}))
    chip = read_chip(roots, "hwmon0")
    assert chip.device == "0-0058"
    assert values(roots, chip) == {"curr1": 4.25, "fan1": 9800, "in1": 230.125, "power1": 980.0}
    limits = {sensor.channel: dict(sensor.limits) for sensor in chip.sensors}
    assert limits == {"curr1": {"high": 16.0}, "fan1": {"low": 1000}, "in1": {}, "power1": {"cap": 2700.0}}


def test_a_meter_that_has_an_average_only() -> None:
    assert parse_channels(["power1_average", "power1_average_interval", "temp1_average"]) == {
        "power1": ("power", "average")
    }


def test_a_chip_without_a_device(roots: Roots, tmp_path: Path) -> None:
    put_hwmon(tmp_path, 0, {"name": "acpitz", "temp1_input": 27800})
    chip = read_chip(roots, "hwmon0")
    assert (chip.name, chip.device) == ("acpitz", "")
    assert values(roots, chip) == {"temp1": 27.8}


def test_a_sensor_that_fails_costs_itself(roots: Roots, tmp_path: Path) -> None:
    """EAGAIN, EIO and ENODATA come from read(2); an empty answer and a directory (EISDIR) stand in for them."""
    directory = put_hwmon(tmp_path, 0, {**CORETEMP, "temp2_input": b"", "temp1_crit": b""})
    chip = read_chip(roots, "hwmon0")
    assert chip.sensors[0].limits == (("high", 89.0),)
    with pytest.raises(ParseError):
        SensorReader(roots, chip, chip.sensors[1]).read()
    assert SensorReader(roots, chip, chip.sensors[2]).read() == 40.0
    (directory / "temp10_input").unlink()
    with pytest.raises(Gone):
        SensorReader(roots, chip, chip.sensors[2]).read()


def test_a_sleeping_gpu_is_not_asked(roots: Roots, tmp_path: Path) -> None:
    gpu = put_pci(tmp_path, "0000:00:01.1/0000:03:00.0", {"power/runtime_status": "suspended"})
    put_hwmon(tmp_path, 1, {"name": "amdgpu", "temp1_input": 30000, "temp1_crit": 100000}, gpu)
    chip = read_chip(roots, "hwmon1")
    assert (chip.device, chip.is_suspended, chip.sensors[0].limits) == ("0000:03:00.0", True, ())
    put(gpu, {"power/runtime_status": "active"})
    assert not chip.is_suspended
    assert read_chip(roots, "hwmon1").sensors[0].limits == (("critical", 100.0),)


def test_a_number_given_to_another_chip_shows(roots: Roots, tmp_path: Path) -> None:
    assert list_chips(roots) == {}
    put_hwmon(tmp_path, 0, CORETEMP)
    before = list_chips(roots)
    assert list_chips(roots) == before
    (tmp_path / "class/hwmon/hwmon0").rename(tmp_path / "class/hwmon/hwmon1")
    put_hwmon(tmp_path, 0, SUPPLY, put(tmp_path / "devices/other", {}))
    assert list_chips(roots)["hwmon0"] != before["hwmon0"]


def test_a_chip_that_left(roots: Roots) -> None:
    chip = read_chip(roots, "hwmon9")
    assert (chip.name, chip.sensors) == ("", ())


@given(st.lists(st.text(max_size=20) | st.from_regex(r"(temp|in|fan|curr|power)\d{1,5}_(input|average|max)\Z")))
def test_arbitrary_names(names: list[str]) -> None:
    for channel, (quantity, attribute) in parse_channels(names).items():
        assert f"{channel}_{attribute}" in names
        assert channel.startswith(quantity)


@given(st.integers(), st.sampled_from([1, 1000, 1_000_000]))
def test_arbitrary_numbers(raw: int, per_unit: int) -> None:
    try:
        value = to_base_unit(raw, per_unit)
    except ParseError:
        assert abs(raw) >= 1 << 53
        return
    assert math.isclose(value * per_unit, raw)
