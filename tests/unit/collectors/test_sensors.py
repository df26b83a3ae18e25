# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from hwinfod.collectors.sensors import Sensors
from hwinfod.core.device import Status
from hwinfod.core.health import State
from hwinfod.core.metric import Level
from hwinfod.errors import from_os_error
from hwinfod.sources.hwmon import SensorReader
from tests.support.bench import Bench
from tests.support.sysfs import put, put_hwmon, put_pci

CORETEMP = {"name": "coretemp", "temp1_input": 41000, "temp1_label": "Package id 0", "temp1_crit": 99000,
            "temp2_input": 39000, "temp2_label": "Core 0", "temp2_crit": 99000}  # fmt: skip
BOARD = {"name": "nct6798", "fan1_input": 9800, "fan2_input": b"", "in0_input": 1680, "curr1_input": 4250,
         "power1_input": 980_500_000, "power1_cap": 2_000_000_000}  # fmt: skip
PACKAGE = "chip=coretemp,device=coretemp.0,sensor=temp1,label=Package id 0"


class Machine:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sysfs = directory / "sys"
        self.coretemp = put(self.sysfs / "devices/platform/coretemp.0", {})
        put_hwmon(self.sysfs, 0, CORETEMP, self.coretemp)
        put_hwmon(self.sysfs, 1, BOARD)

    def unplug(self, number: int) -> None:
        link = self.sysfs / f"class/hwmon/hwmon{number}"
        shutil.rmtree(link.resolve())
        link.unlink()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def bench(machine: Machine) -> Bench:
    return Bench(Sensors, machine.directory)


def test_every_sensor_in_base_units(bench: Bench) -> None:
    values = bench.run()
    board = "chip=nct6798,device=,sensor="
    assert values == {
        f"hw_temperature_celsius{{{PACKAGE}}}": 41.0,
        "hw_temperature_celsius{chip=coretemp,device=coretemp.0,sensor=temp2,label=Core 0}": 39.0,
        f"hw_temperature_limit_celsius{{{PACKAGE},limit=critical}}": 99.0,
        "hw_temperature_limit_celsius{chip=coretemp,device=coretemp.0,sensor=temp2,label=Core 0,limit=critical}": 99.0,
        f"hw_fan_speed_rpm{{{board}fan1,label=}}": 9800,
        f"hw_voltage_volts{{{board}in0,label=}}": 1.68,
        f"hw_current_amperes{{{board}curr1,label=}}": 4.25,
        f"hw_power_watts{{{board}power1,label=}}": 980.5,
        f"hw_power_limit_watts{{{board}power1,label=,limit=cap}}": 2000.0,
    }


def test_the_parts_of_a_part_are_detail(bench: Bench) -> None:
    bench.run()
    assert set(bench.values(level=Level.STANDARD)) == {
        f"hw_temperature_celsius{{{PACKAGE}}}",
        "hw_fan_speed_rpm{chip=nct6798,device=,sensor=fan1,label=}",
        "hw_power_watts{chip=nct6798,device=,sensor=power1,label=}",
    }


def test_a_sensor_that_answers_garbage_costs_itself_and_is_said(bench: Bench, machine: Machine) -> None:
    assert len(bench.run()) == 9
    assert list(bench.skipped) == ["nct6798 fan2"]
    put(machine.sysfs / "class/hwmon/hwmon1", {"fan2_input": 4000})
    assert bench.run()["hw_fan_speed_rpm{chip=nct6798,device=,sensor=fan2,label=}"] == 4000
    assert bench.skipped == {}


@pytest.mark.parametrize(("number", "said"), [(errno.EIO, True), (errno.EAGAIN, False), (errno.ENODATA, False)])
def test_a_sensor_that_fails(
    bench: Bench, machine: Machine, monkeypatch: pytest.MonkeyPatch, number: int, *, said: bool
) -> None:
    """EAGAIN and ENODATA are how a driver says that there is no value; EIO is a fault."""
    put(machine.sysfs / "class/hwmon/hwmon1", {"fan2_input": 4000})
    real = SensorReader.read

    def read(self: SensorReader) -> float:
        if "temp1_input" in self._file.path:
            raise from_os_error(OSError(number, ""), self._file.path)
        return real(self)

    monkeypatch.setattr(SensorReader, "read", read)
    values = bench.run()
    assert f"hw_temperature_celsius{{{PACKAGE}}}" not in values
    assert len(values) == 9
    assert bool(bench.skipped) is said


def test_hot_plug(bench: Bench, machine: Machine) -> None:
    bench.run()
    put_hwmon(machine.sysfs, 2, CORETEMP, put(machine.sysfs / "devices/platform/coretemp.1", {}))
    second = PACKAGE.replace("coretemp.0", "coretemp.1")
    assert f"hw_temperature_celsius{{{second}}}" in bench.run()
    assert bench.host.devices.current["sensors:coretemp:coretemp.1"].status is Status.PRESENT
    machine.unplug(2)
    assert f"hw_temperature_celsius{{{second}}}" not in bench.run()
    assert bench.host.devices.current["sensors:coretemp:coretemp.1"].status is Status.LOST


def test_a_number_that_another_chip_got(bench: Bench, machine: Machine) -> None:
    bench.run()
    first = machine.sysfs / "class/hwmon/hwmon0"
    first.rename(machine.sysfs / "class/hwmon/hwmon7")
    put_hwmon(machine.sysfs, 0, {"name": "acpitz", "temp1_input": 27800}, put(machine.sysfs / "devices/zone", {}))
    values = bench.run()
    assert values["hw_temperature_celsius{chip=acpitz,device=zone,sensor=temp1,label=}"] == 27.8
    assert values[f"hw_temperature_celsius{{{PACKAGE}}}"] == 41.0


def test_two_chips_of_one_name_on_one_device(bench: Bench, machine: Machine) -> None:
    put_hwmon(machine.sysfs, 3, {**CORETEMP, "temp1_input": 50000}, machine.coretemp)
    values = bench.run()
    assert values[f"hw_temperature_celsius{{{PACKAGE}}}"] == 41.0
    assert values[f"hw_temperature_celsius{{{PACKAGE.replace('coretemp.0', 'coretemp.0/hwmon3')}}}"] == 50.0


def test_a_sleeping_device_is_left_alone_and_asked_when_it_wakes(bench: Bench, machine: Machine) -> None:
    gpu = put_pci(machine.sysfs, "0000:00:01.1/0000:03:00.0", {"power/runtime_status": "suspended"})
    put_hwmon(machine.sysfs, 4, {"name": "amdgpu", "temp1_input": 30000, "temp1_crit": 100000}, gpu)
    edge = "chip=amdgpu,device=0000:03:00.0,sensor=temp1,label="
    assert not any("amdgpu" in name for name in bench.run())
    put(gpu, {"power/runtime_status": "active"})
    values = bench.run()
    assert values[f"hw_temperature_celsius{{{edge}}}"] == 30.0
    assert values[f"hw_temperature_limit_celsius{{{edge},limit=critical}}"] == 100.0


def test_zones(bench: Bench, machine: Machine) -> None:
    trip = {"trip_point_0_type": "critical", "trip_point_0_temp": 99000}
    put(machine.sysfs / "class/thermal/thermal_zone0", {"type": "acpitz", "temp": 27800, "hwmon0/name": "acpitz"})
    put(machine.sysfs / "class/thermal/thermal_zone1", {"type": "x86_pkg_temp", "temp": 41500, **trip})
    values = bench.run()
    zone = "zone=thermal_zone1,type=x86_pkg_temp"
    assert values[f"hw_thermal_zone_temperature_celsius{{{zone}}}"] == 41.5
    assert values[f"hw_thermal_zone_limit_celsius{{{zone}}}"] == 99.0
    assert values["hw_thermal_zone_temperature_celsius{zone=thermal_zone0,type=acpitz}"] == 27.8
    standard = bench.values(level=Level.STANDARD)
    assert [name for name in standard if "zone" in name] == [f"hw_thermal_zone_temperature_celsius{{{zone}}}"]


def test_a_host_without_sensors(tmp_path: Path) -> None:
    assert Bench(Sensors, tmp_path).attempt() is State.ABSENT
