# SPDX-License-Identifier: MIT
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwinfod.collectors.edac import CORRECTED_OFTEN, UNCORRECTED_SINCE_BOOT, Edac
from hwinfod.core.check import evaluate
from hwinfod.core.device import Status
from hwinfod.core.event import Event, EventKind, Severity
from hwinfod.core.health import State
from hwinfod.core.metric import Level
from tests.support.bench import Bench
from tests.support.sysfs import put

A1 = "controller=mc0,dimm=dimm0,label=A1"


class Machine:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.base = directory / "sys/devices/system/edac/mc"
        self.add("mc0")

    def add(self, name: str) -> None:
        put(self.base / name, {"mc_name": "Intel_10nm", "ce_count": 17, "ue_count": 0})
        for number, label in enumerate(("A1", "A2")):
            facts = {
                "dimm_label": label,
                "size": 65536,
                "dimm_location": "channel 0",
                "dimm_mem_type": "Registered-DDR5",
            }
            counts = {"dimm_ce_count": 17 * (1 - number), "dimm_ue_count": 0}
            put(self.base / name / f"dimm{number}", {**facts, **counts})

    def count(self, file: str, value: int) -> None:
        put(self.base, {file: value})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def bench(machine: Machine) -> Bench:
    bench = Bench(Edac, machine.directory)
    bench.host.runners = {"edac": bench.runner}
    bench.run()
    return bench


def only(bench: Bench) -> Event:
    (event,) = bench.events()
    return event


def test_counts(bench: Bench) -> None:
    assert bench.values() == {
        "hw_memory_corrected_errors_total{controller=mc0}": 17,
        "hw_memory_uncorrected_errors_total{controller=mc0}": 0,
        f"hw_memory_dimm_corrected_errors_total{{{A1}}}": 17,
        f"hw_memory_dimm_uncorrected_errors_total{{{A1}}}": 0,
        "hw_memory_dimm_corrected_errors_total{controller=mc0,dimm=dimm1,label=A2}": 0,
        "hw_memory_dimm_uncorrected_errors_total{controller=mc0,dimm=dimm1,label=A2}": 0,
    }
    assert len(bench.values(level=Level.STANDARD)) == 2
    assert f"hw_memory_dimm_info{{{A1},location=channel 0,memory_type=Registered-DDR5,size_bytes=68719476736}}" in (
        bench.infos()
    )


def test_what_was_counted_before_we_came_is_no_event(bench: Bench) -> None:
    bench.run()
    assert bench.events() == []


def test_a_corrected_error_names_its_module(bench: Bench, machine: Machine) -> None:
    machine.count("mc0/dimm0/dimm_ce_count", 19)
    machine.count("mc0/ce_count", 19)
    bench.run()
    event = only(bench)
    assert (event.kind, event.severity, event.device) == (EventKind.MEMORY_ERROR, Severity.INFO, "dimm:mc0/dimm0")
    assert event.text == "module A1: 2 corrected, 0 uncorrected errors"


def test_an_uncorrected_error_that_nobody_could_place(bench: Bench, machine: Machine) -> None:
    machine.count("mc0/ue_count", 1)
    bench.run()
    event = only(bench)
    assert (event.severity, event.text) == (
        Severity.CRITICAL,
        "memory controller mc0: 0 corrected, 1 uncorrected errors",
    )


def test_more_errors_within_a_minute_are_summed(bench: Bench, machine: Machine) -> None:
    for corrected, uncorrected in ((19, 0), (24, 0), (24, 1)):
        machine.count("mc0/ce_count", corrected)
        machine.count("mc0/ue_count", uncorrected)
        bench.run(after=10)
    event = only(bench)
    assert (event.severity, event.count) == (Severity.CRITICAL, 3)
    assert event.text == "memory controller mc0: 7 corrected, 1 uncorrected errors"
    assert dict(event.attributes) == {"corrected": "7", "uncorrected": "1"}


def test_checks(bench: Bench, machine: Machine) -> None:
    checks = [UNCORRECTED_SINCE_BOOT, CORRECTED_OFTEN]
    assert evaluate(bench.host, checks) == []
    machine.count("mc0/ce_count", 117)
    bench.run(after=10)
    assert [finding.check for finding in evaluate(bench.host, checks)] == [CORRECTED_OFTEN]
    machine.count("mc0/ue_count", 1)
    bench.run(after=10)
    found = evaluate(bench.host, checks)
    assert [finding.text for finding in found] == [
        "memory controller mc0: 1 uncorrected errors",
        "memory controller mc0: 100 corrected errors in an hour",
    ]


def test_a_reset_of_the_counters_is_no_event(bench: Bench, machine: Machine) -> None:
    machine.count("mc0/ce_count", 0)
    machine.count("mc0/dimm0/dimm_ce_count", 0)
    assert bench.run()["hw_memory_corrected_errors_total{controller=mc0}"] == 0
    assert bench.events() == []


def test_controllers_come_and_go(bench: Bench, machine: Machine) -> None:
    machine.add("mc1")
    assert "hw_memory_corrected_errors_total{controller=mc1}" in bench.run()
    shutil.rmtree(machine.base / "mc1")
    assert "hw_memory_corrected_errors_total{controller=mc1}" not in bench.run()
    assert bench.host.devices.current["dimm:mc1/dimm0"].status is Status.LOST
    shutil.rmtree(machine.base / "mc0")
    assert bench.attempt() is State.ABSENT


def test_a_count_that_cannot_be_read_is_absent(bench: Bench, machine: Machine) -> None:
    machine.base.joinpath("mc0/ue_count").write_bytes(b"\xff")
    values = bench.run()
    assert "hw_memory_uncorrected_errors_total{controller=mc0}" not in values
    assert values["hw_memory_corrected_errors_total{controller=mc0}"] == 17
    assert bench.events() == []


def test_a_host_without_edac(tmp_path: Path) -> None:
    assert Bench(Edac, tmp_path).attempt() is State.ABSENT
