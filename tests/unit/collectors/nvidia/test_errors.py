# SPDX-License-Identifier: MIT
"""Every return code of NVML, from every call that the collector makes, at every place of an enumeration of eight."""

from __future__ import annotations

import logging

import pytest

from hwinfod.core.event import EventKind
from hwinfod.core.health import State
from hwinfod.sources.nvml import LIBRARY
from tests.support.bench import Bench
from tests.support.nvml_machine import Machine, of

pytestmark = pytest.mark.tier("compiler")

CODES = (*range(1, 31), 999)
LIBRARY_CODES = {1, 9, 12, 18}
DEVICE_CODES = {15, 16, 28}
GPUS = range(8)
METHODS = ("sample", "links", "processes", "facts")
MOST_LINES = 40


def record(machine: Machine, method: str) -> list[tuple[str, bool]]:
    """Every call of a method, the connecting apart but for `sample`; and whether it is about one GPU."""
    bench = machine.bench()
    if method != "sample":
        bench.attempt()
    machine.fake.record()
    for _ in range(2):
        bench.attempt(method)
    machine.fake.remove("journal")
    bench.runner.close()
    return sorted({(name, gpu >= 0) for name, gpu in machine.fake.calls()})


@pytest.mark.parametrize("method", METHODS)
def test_every_code_on_every_call_of_one_gpu(a100: Machine, caplog: pytest.LogCaptureFixture, method: str) -> None:
    """From case to case another GPU, so that every call and every code meets every place."""
    calls = [name for name, of_gpu in record(a100, method) if of_gpu]
    assert calls
    for number, (name, code) in enumerate((name, code) for name in calls for code in CODES):
        check(a100, name, code, GPUS[number % len(GPUS)], caplog, method)


@pytest.mark.parametrize("gpu", GPUS)
def test_every_code_of_one_call_at_every_place(a100: Machine, caplog: pytest.LogCaptureFixture, gpu: int) -> None:
    for name in ("nvmlDeviceGetFieldValues", "nvmlDeviceGetHandleByIndex_v2"):
        for code in CODES:
            check(a100, name, code, gpu, caplog, "sample")


def check(machine: Machine, name: str, code: int, gpu: int, caplog: pytest.LogCaptureFixture, method: str) -> None:
    """Plants the error in a collector that works, or, with an odd code, in one that is about to start."""
    what = f"{name} {code} on GPU {gpu}"
    bench = machine.bench()
    if code % 2 == 0 or method != "sample":
        bench.run()
    caplog.clear()
    machine.fake.fail(name, code, gpu=gpu)
    for _ in range(2):
        bench.attempt(method)
    bench.attempt()
    if code not in LIBRARY_CODES:
        assert bench.runner.health.state is State.OK, f"{what}: {bench.reason}"
        values = bench.values()
        up = {number: values.get(of(number, "up")) for number in GPUS}
        assert all(up[number] == 1 for number in GPUS if number != gpu), f"{what}: {up}"
    failed = [event for event in bench.events() if event.kind is EventKind.GPU_FAILED]
    assert len(failed) <= int(code in DEVICE_CODES), what
    assert len(caplog.records) <= MOST_LINES, what
    assert not [line for line in caplog.records if line.exc_info and line.levelno >= logging.ERROR], what
    assert mended(machine, bench, gpu), what
    assert not LIBRARY.sessions, what


def mended(machine: Machine, bench: Bench, gpu: int) -> bool:
    """Whether the GPU is back within two minutes of the last fault."""
    machine.fake.mend()
    is_back = False
    for seconds in (1, 60, 10, 60, 10):
        is_back = bench.attempt(after=seconds) is State.OK and bench.values().get(of(gpu, "up")) == 1
        if is_back:
            break
    bench.runner.close()
    return is_back


@pytest.mark.parametrize("code", sorted(LIBRARY_CODES))
def test_a_global_error_starts_one_recovery(a100: Machine, code: int) -> None:
    """The calls after it are not made, and nvmlInit is called once a try."""
    bench = a100.bench()
    bench.run()
    a100.fake.record()
    a100.fake.fail("nvmlDeviceGetFieldValues", code, gpu=2)
    assert bench.attempt() is State.FAILING
    calls = [name for name, gpu in a100.fake.calls()]
    assert calls[-1] == "nvmlShutdown"
    assert calls.count("nvmlShutdown") == 1
    assert "nvmlInitWithFlags" not in calls
    a100.fake.mend()
    bench.run()
    calls = [name for name, gpu in a100.fake.calls()]
    assert calls.count("nvmlInitWithFlags") == 1


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_the_calls_of_all_gpus(a100: Machine, code: int) -> None:
    for name in [name for name, of_gpu in record(a100, "sample") if not of_gpu]:
        bench = a100.bench()
        a100.fake.fail(name, code)
        for _ in range(3):
            bench.attempt()
        assert mended(a100, bench, 7), name
        for session in tuple(LIBRARY.sessions):
            session.close()
