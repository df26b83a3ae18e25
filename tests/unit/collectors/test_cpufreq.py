# SPDX-License-Identifier: MIT
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwinfod.collectors.cpufreq import CpuFrequency
from hwinfod.core.event import EventKind
from hwinfod.core.health import State
from hwinfod.core.metric import Level
from tests.support.bench import Bench
from tests.support.sysfs import put

CPUFREQ = "sys/devices/system/cpu/cpufreq"


def put_policy(directory: Path, number: int, now: object, **more: object) -> None:
    files = {
        "affected_cpus": number,
        "scaling_driver": "amd-pstate",
        "scaling_governor": "performance",
        "scaling_cur_freq": now,
        "scaling_max_freq": 3_700_000,
        "cpuinfo_min_freq": 400_000,
        "cpuinfo_max_freq": 3_700_000,
    }
    put(directory / CPUFREQ / f"policy{number}", files | more)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    put_policy(tmp_path, 0, 2_000_000)
    put_policy(tmp_path, 1, 3_000_000, scaling_max_freq=2_400_000)
    return Bench(CpuFrequency, tmp_path)


def test_frequency_of_each_processor_and_their_mean(bench: Bench) -> None:
    assert bench.run() == {
        "hw_cpu_frequency_hertz": 2_500_000_000,
        "hw_cpu_frequency_limit_hertz": 3_700_000_000,
        "hw_cpu_frequency_minimum_hertz": 400_000_000,
        "hw_cpu_frequency_maximum_hertz": 3_700_000_000,
        "hw_cpu_core_frequency_hertz{cpu=0}": 2_000_000_000,
        "hw_cpu_core_frequency_limit_hertz{cpu=0}": 3_700_000_000,
        "hw_cpu_core_frequency_hertz{cpu=1}": 3_000_000_000,
        "hw_cpu_core_frequency_limit_hertz{cpu=1}": 2_400_000_000,
    }
    assert bench.values(level=Level.STANDARD) == {"hw_cpu_frequency_hertz": 2_500_000_000}


def test_a_policy_of_several_processors_weighs_as_many(tmp_path: Path, bench: Bench) -> None:
    put_policy(tmp_path, 0, 1_000_000, affected_cpus="0 2 3")
    values = bench.run()
    assert values["hw_cpu_frequency_hertz"] == 1_500_000_000
    assert values["hw_cpu_core_frequency_hertz{cpu=3}"] == 1_000_000_000


def test_what_the_driver_does_not_know_is_left_out_of_the_mean(tmp_path: Path, bench: Bench) -> None:
    put_policy(tmp_path, 1, "<unknown>")
    values = bench.run()
    assert values["hw_cpu_frequency_hertz"] == 2_000_000_000
    assert "hw_cpu_core_frequency_hertz{cpu=1}" not in values


def test_a_governor_that_is_changed_leaves_an_event(tmp_path: Path, bench: Bench) -> None:
    bench.run()
    put_policy(tmp_path, 1, 3_000_000, scaling_governor="powersave")
    bench.run()
    assert bench.infos() == {"hw_cpu_frequency_info{driver=amd-pstate,governor=performance,powersave}"}
    (event,) = [event for event in bench.events() if event.kind is EventKind.DEVICE_CHANGED]
    assert event.attributes == {"governor": "performance -> performance,powersave"}


def test_a_policy_whose_processors_went_offline_is_gone(tmp_path: Path, bench: Bench) -> None:
    put(tmp_path / "sys/devices/system/cpu", {"online": "0-1"})
    bench.run()
    put(tmp_path / "sys/devices/system/cpu", {"online": "0"})
    put_policy(tmp_path, 1, 3_000_000, affected_cpus="")
    values = bench.run()
    assert values["hw_cpu_frequency_hertz"] == 2_000_000_000
    assert not any("cpu=1" in name for name in values)


def test_absent_without_a_driver_and_found_when_it_comes(tmp_path: Path) -> None:
    bench = Bench(CpuFrequency, tmp_path)
    assert bench.attempt() is State.ABSENT
    put_policy(tmp_path, 0, 2_000_000)
    bench.run()
    shutil.rmtree(tmp_path / CPUFREQ)
    assert bench.attempt() is State.ABSENT
