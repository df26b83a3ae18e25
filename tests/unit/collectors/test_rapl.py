# SPDX-License-Identifier: MIT
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwinfod.collectors.rapl import Rapl
from hwinfod.core.health import State
from hwinfod.core.metric import Level
from hwinfod.errors import Denied
from hwinfod.sources.powercap import EnergyReader
from tests.support.bench import Bench
from tests.support.sysfs import put

RANGE = 262143328850


class Machine:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.base = directory / "sys/class/powercap"
        self.add("intel-rapl:0", "package-0")
        self.add("intel-rapl:0:0", "dram")
        self.add("intel-rapl:0:1", "core")
        self.add("intel-rapl:1", "psys")

    def add(self, zone: str, name: str) -> None:
        put(self.base / zone, {"name": name, "max_energy_range_uj": RANGE, "energy_uj": RANGE - 100_000_000})

    def use(self, zone: str, joules: float) -> None:
        before = int((self.base / zone / "energy_uj").read_text())
        put(self.base / zone, {"energy_uj": (before + int(joules * 1e6)) % (RANGE + 1)})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def bench(machine: Machine) -> Bench:
    return Bench(Rapl, machine.directory)


def test_energy_starts_at_nothing_and_power_with_the_second_look(bench: Bench, machine: Machine) -> None:
    first = bench.run()
    assert first["hw_cpu_package_energy_joules_total{package=0}"] == 0
    assert "hw_cpu_package_power_watts{package=0}" not in first
    machine.use("intel-rapl:0", 50)
    machine.use("intel-rapl:0:0", 4)
    values = bench.run(after=2)
    assert values["hw_cpu_package_energy_joules_total{package=0}"] == 50
    assert values["hw_cpu_package_power_watts{package=0}"] == 25
    assert values["hw_memory_power_watts{package=0}"] == 2
    assert values["hw_cpu_cores_power_watts{package=0}"] == 0


def test_a_wrap_of_the_counter_is_none_of_ours(bench: Bench, machine: Machine) -> None:
    bench.run()
    for second in range(1, 6):
        machine.use("intel-rapl:0", 40)
        values = bench.run()
        assert values["hw_cpu_package_energy_joules_total{package=0}"] == 40 * second
        assert values["hw_cpu_package_power_watts{package=0}"] == 40


def test_levels(bench: Bench) -> None:
    bench.run()
    assert set(bench.values(level=Level.STANDARD)) == {
        "hw_cpu_package_energy_joules_total{package=0}",
        "hw_memory_energy_joules_total{package=0}",
        "hw_platform_energy_joules_total{zone=intel-rapl:1}",
    }


def test_a_zone_that_fails_costs_itself(bench: Bench, machine: Machine) -> None:
    bench.run()
    put(machine.base / "intel-rapl:0:0", {"energy_uj": b"\xff"})
    values = bench.run()
    assert "hw_memory_energy_joules_total{package=0}" not in values
    assert "hw_cpu_package_power_watts{package=0}" in values
    assert list(bench.skipped) == ["intel-rapl:0:0"]


def test_an_interval_that_nobody_saw_does_not_spike(bench: Bench, machine: Machine) -> None:
    """The zone could not be read for a minute: its energy counts, over the whole minute."""
    bench.run()
    (machine.base / "intel-rapl:0/energy_uj").rename(machine.base / "away")
    bench.run(after=30)
    (machine.base / "away").rename(machine.base / "intel-rapl:0/energy_uj")
    machine.use("intel-rapl:0", 600)
    assert bench.run(after=30)["hw_cpu_package_power_watts{package=0}"] == 10


def test_the_driver_leaves_and_comes_back(bench: Bench, machine: Machine) -> None:
    bench.run()
    shutil.rmtree(machine.base)
    assert bench.attempt() is State.ABSENT
    Machine(machine.directory)
    assert bench.run(after=10)["hw_cpu_package_energy_joules_total{package=0}"] == 0


def test_hosts_that_have_none_or_keep_it(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Bench(Rapl, tmp_path / "nothing").attempt() is State.ABSENT

    def refuse(_self: object) -> int:
        raise Denied("energy_uj", 13)

    monkeypatch.setattr(EnergyReader, "read", refuse)
    bench = Bench(Rapl, machine.directory)
    assert bench.attempt() is State.ABSENT
    assert "root" in bench.reason
