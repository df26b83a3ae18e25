# SPDX-License-Identifier: MIT
"""GPUs that were dead before the daemon began: the bus and the driver have them, NVML never showed them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hwinfod.core.device import Status
from hwinfod.core.event import EventKind, Severity
from tests.support import nvml_profiles as profiles
from tests.support.bench import Bench
from tests.support.nvml_machine import Machine, of
from tests.support.nvml_profiles import pci, uuid

pytestmark = pytest.mark.tier("compiler")

Start = Callable[..., Machine]
SILENT = f"gpu:{pci(1)}"
UP = f"hw_gpu_up{{gpu=1,uuid={SILENT}}}"


@pytest.fixture
def machine(start: Start) -> Machine:
    machine = start(profiles.a100(3))
    machine.drive(0, 1, 2)
    return machine


def failures(bench: Bench) -> list[tuple[Severity, str, str]]:
    return [(e.severity, e.device, e.text) for e in bench.events() if e.kind is EventKind.GPU_FAILED]


@pytest.mark.parametrize("code", [15, 999])
def test_a_gpu_that_never_answered_is_shown_as_lost(machine: Machine, code: int) -> None:
    machine.fake.lose(1, code)
    bench = machine.bench()
    values = bench.run()
    assert values[UP] == 0
    assert values[of(0, "up")] == values[of(2, "up")] == 1
    device = bench.host.devices.current[SILENT]
    assert (device.status, device.facts["gpu"], device.facts["pci"]) == (Status.LOST, "1", pci(1))
    text = f"GPU 1 at {pci(1)} does not answer: the driver has it, and NVML does not show it"
    assert failures(bench) == [(Severity.CRITICAL, SILENT, text)]
    bench.run()
    assert len(failures(bench)) == 1


def test_nvml_may_leave_it_out_altogether(machine: Machine) -> None:
    """RmInitAdapter failed: the count is one less, and the others move up."""
    state = dict(machine.fake.state)
    machine.fake.remove("gpu.1", "gpu.2")
    machine.fake.update({key.replace("gpu.2.", "gpu.1."): v for key, v in state.items() if key.startswith("gpu.2.")})
    machine.fake.set("gpus", 2)
    bench = machine.bench()
    values = bench.run()
    assert values[f"hw_gpu_up{{gpu=1,uuid={uuid(2)}}}"] == 1
    assert values[f"hw_gpu_up{{gpu=2,uuid={SILENT}}}"] == 0


def test_it_comes_back_under_its_own_name_and_index(machine: Machine) -> None:
    machine.fake.lose(1)
    bench = machine.bench()
    bench.run()
    machine.fake.mend()
    machine.fake.remove("gpu.1.fail")
    bench.run(after=61)
    values = bench.run()
    assert values[of(1, "up")] == 1
    assert UP not in values
    assert bench.host.devices.current[uuid(1)].status is Status.PRESENT


def test_a_container_sees_the_bus_and_not_the_others_gpus(start: Start) -> None:
    machine = start(profiles.a100(3))
    machine.drive(0, 2)
    machine.fake.lose(1)
    bench = machine.bench()
    assert UP not in bench.run()
    assert SILENT not in bench.host.devices.current


def test_one_that_sleeps_or_was_given_away_is_not_silent(machine: Machine) -> None:
    machine.fake.lose(1)
    machine.bind(1, "vfio-pci")
    bench = machine.bench()
    assert UP not in bench.run()
    assert bench.host.devices.current[SILENT].status is Status.PASSED_THROUGH


def test_one_that_answers_nothing_any_more_has_failed_and_is_tried_again(machine: Machine) -> None:
    """Its handle is good and each call an unknown error: it may be no more than the driver that is stuck."""
    bench = machine.bench()
    bench.run()
    machine.fake.lose(1, 999)
    bench.run()
    assert bench.run()[of(1, "up")] == 0
    assert failures(bench) == []
    for _ in range(3):
        values = bench.run()
        assert [values[of(gpu, "up")] for gpu in range(3)] == [1, 0, 1]
    text = "GPU 1 A100-SXM4-80GB: every reading: no answer 3 times in a row"
    assert failures(bench) == [(Severity.CRITICAL, uuid(1), text)]
    assert bench.host.devices.current[uuid(1)].status is Status.PRESENT
    machine.fake.remove("gpu.1.fail")
    bench.run(after=61)
    assert bench.run()[of(1, "up")] == 1
    assert len(failures(bench)) == 1


def test_one_that_misses_a_tick_has_not_failed(machine: Machine) -> None:
    bench = machine.bench()
    bench.run()
    for _ in range(3):
        machine.fake.lose(1, 999)
        bench.run()
        assert bench.run()[of(1, "up")] == 0
        machine.fake.remove("gpu.1.fail")
        assert bench.run()[of(1, "up")] == 1
    assert failures(bench) == []


def test_without_a_driver_nobody_is_silent(machine: Machine) -> None:
    machine.fake.fail("nvmlInitWithFlags", 9)
    bench = machine.bench()
    bench.attempt()
    assert bench.host.devices.current == {}
