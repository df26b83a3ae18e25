# SPDX-License-Identifier: MIT
"""Every return code of NVML, from every call that is made for a GPU, at every place of an enumeration of eight: while
the collector works, and when it begins. A code of a value costs that value, one of a device that GPU, one of the
library one recovery; nothing else is touched, nothing is raised, and a line or two are logged.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping

import pytest

from hwinfod.core.health import State
from hwinfod.sources.nvml import LIBRARY
from tests.support import nvml_profiles as profiles
from tests.support.nvml_machine import Machine
from tests.support.nvml_profiles import uuid
from tests.support.nvml_trial import GPUS, OF_DEVICE, OF_LIBRARY, OF_VALUE, UP_CELL, Cells, Trial, mixtures

pytestmark = pytest.mark.tier("compiler")

BEATS = ("sample", "links", "processes", "facts")
BEGINNINGS = ("sample", "links")  # the beats that find out at first what a GPU has
IDENTIFYING = frozenset({"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID"})  # without them it is no GPU
OF_INSTANCES = frozenset({
    "nvmlDeviceGetMaxMigDeviceCount", "nvmlDeviceGetMigDeviceHandleByIndex", "nvmlDeviceGetUUID",
    "nvmlDeviceGetAttributes_v2", "nvmlDeviceGetGpuInstanceId", "nvmlDeviceGetComputeInstanceId",
    "nvmlDeviceGetMemoryInfo_v2", "nvmlGpmMigSampleGet", "nvmlDeviceGetComputeRunningProcesses_v3",
})  # fmt: skip
EVERY = frozenset[str]()


@pytest.fixture(params=["whole", "cut"])
def trial(
    request: pytest.FixtureRequest,
    start: Callable[..., Machine],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Trial:
    """Eight H100, which have all that NVML can tell, whole or cut into MIG instances; each at work."""
    is_cut = request.param == "cut"
    machine = start(profiles.h100(mig=tuple(GPUS) if is_cut else ()))
    for gpu in GPUS:
        machine.fake.processes(gpu, "compute", [(100 + gpu, 1 << 30)], mig=0 if is_cut else None)
    trial = Trial(machine, monkeypatch, caplog)
    trial.only = OF_INSTANCES if is_cut else EVERY
    return trial


def work(trial: Trial, beat: str) -> Mapping[int, Cells]:
    """A collector that has all there is: GPM compares two samples."""
    trial.run("sample", "sample", "links", "processes", beat, beat)
    trial.forget()
    return trial.cells(beat)


def begin(trial: Trial, beat: str) -> None:
    """A collector to which a beat is new."""
    trial.start_anew()
    if beat != "sample":
        trial.run("sample")
    trial.forget()


def first_calls(trial: Trial, beat: str) -> list[str]:
    begin(trial, beat)
    return trial.functions(lambda: trial.run(beat, beat))


def check_others(
    trial: Trial, beat: str, whole: Mapping[int, Cells], hit: Collection[int], what: str
) -> Mapping[int, Cells]:
    """Those that were not hit have all that they had, and those that were nothing new. Returns what all have."""
    cells = trial.cells(beat)
    for gpu in GPUS:
        if gpu not in hit:
            assert cells[gpu] == whole[gpu], f"{what}: GPU {gpu}"
        assert cells[gpu].keys() <= whole[gpu].keys(), f"{what}: GPU {gpu}"
    return cells


def begin_with(
    trial: Trial, beat: str, whole: Mapping[int, Cells], function: str, codes: Mapping[int, int]
) -> Mapping[int, Cells]:
    """A start at which a call answers codes, by GPU; those that were not hit notice nothing. Returns what all have."""
    begin(trial, beat)
    trial.plant(function, codes)
    trial.run(beat, beat)
    return check_others(trial, beat, whole, codes, f"{function} {codes}")


def others(beat: str) -> list[str]:
    return [] if beat == "sample" else [beat]


def come_back(trial: Trial, beat: str, whole: Mapping[int, Cells], what: str) -> None:
    """The fault is over: within a minute everything is as it was."""
    trial.machine.fake.mend()
    trial.run("sample", after=61)
    trial.run("sample", "sample", *others(beat))
    assert trial.cells(beat) == whole, what


@pytest.mark.parametrize("beat", BEATS)
def test_at_work_a_code_of_a_value_costs_that_value(trial: Trial, beat: str) -> None:
    whole = work(trial, beat)
    for function in trial.functions(lambda: trial.run(beat)):
        for codes in mixtures(OF_VALUE):
            what = f"{function} {codes}"
            trial.plant(function, codes)
            trial.run(beat, beat)
            cells = check_others(trial, beat, whole, codes, what)
            for gpu in GPUS:
                assert cells[gpu].items() <= whole[gpu].items(), what
            assert beat != "sample" or all(cells[gpu][UP_CELL] == 1 for gpu in GPUS), what
            assert len(trial.lines) <= len(codes), trial.lines
            trial.machine.fake.mend()
            trial.run(beat, beat)
            assert trial.cells(beat) == whole, what
            assert (trial.begun, trial.ended, trial.losses()) == (0, 0, []), what
            trial.forget()


@pytest.mark.parametrize("beat", BEATS)
def test_at_work_a_code_of_a_device_costs_that_gpu(trial: Trial, beat: str) -> None:
    whole = work(trial, beat)
    is_told = beat in ("sample", "links")  # the others leave it to these to say so
    is_lost: dict[str, Cells] = {"sample": {UP_CELL: 0}, "links": {}, "processes": {}}
    for function in trial.functions(lambda: trial.run(beat)):
        for codes in mixtures(OF_DEVICE):
            what = f"{function} {codes}"
            trial.plant(function, codes)
            trial.run(beat, beat)
            cells = check_others(trial, beat, whole, codes, what)
            for gpu in codes:
                assert cells[gpu] == is_lost.get(beat, whole[gpu]), what
            assert trial.losses() == ([uuid(gpu) for gpu in codes] if is_told else []), what
            assert len(trial.lines) == (0 if beat == "facts" else len(codes)), f"{what}: {trial.lines}"
            come_back(trial, beat, whole, what)
            assert (trial.begun, trial.ended) == (int(is_told), int(is_told)), what
            trial.forget()


@pytest.mark.parametrize("beat", BEATS)
def test_at_work_a_code_of_the_library_starts_one_recovery(trial: Trial, beat: str) -> None:
    whole = work(trial, beat)
    for function in trial.functions(lambda: trial.run(beat)):
        for gpu, code in itertools.product(GPUS, OF_LIBRARY):
            what = f"{function} {code} on GPU {gpu}"
            trial.plant(function, {gpu: code})
            assert trial.bench.attempt(beat) is State.FAILING, what
            assert not LIBRARY.sessions, what
            assert (trial.begun, trial.ended, trial.losses()) == (0, 1, []), what
            trial.machine.fake.mend()
            for method in ("sample", "sample", *others(beat)):
                trial.bench.attempt(method)
            assert trial.bench.runner.health.state is State.OK, f"{what}: {trial.bench.reason}"
            assert trial.cells(beat) == whole, what
            assert (trial.begun, trial.ended) == (1, 1), what
            assert len(trial.lines) == 2, f"{what}: {trial.lines}"
            trial.forget()


@pytest.mark.parametrize("beat", BEGINNINGS)
def test_at_the_beginning_a_code_of_a_value_costs_that_value(trial: Trial, beat: str) -> None:
    whole = work(trial, beat)
    for function in first_calls(trial, beat):
        for codes in mixtures(OF_VALUE):
            what = f"{function} {codes}"
            cells = begin_with(trial, beat, whole, function, codes)
            shown = {gpu for gpu in GPUS if beat != "sample" or cells[gpu].get(UP_CELL) == 1}
            assert shown == set(GPUS) - (set(codes) if function in IDENTIFYING else set()), what
            assert len(trial.lines) <= len(codes), f"{what}: {trial.lines}"
            assert trial.losses() == [], what
            trial.machine.fake.mend()
        if function in IDENTIFYING:
            come_back(trial, beat, whole, function)


@pytest.mark.parametrize("beat", BEGINNINGS)
def test_at_the_beginning_a_code_of_a_device_costs_that_gpu(trial: Trial, beat: str) -> None:
    whole = work(trial, beat)
    for function in first_calls(trial, beat):
        for codes in mixtures(OF_DEVICE):
            what = f"{function} {codes}"
            cells = begin_with(trial, beat, whole, function, codes)
            assert all(cells[gpu] in ({}, {UP_CELL: 0}) for gpu in codes), what
            assert len(trial.lines) == len(codes), f"{what}: {trial.lines}"
            trial.machine.fake.mend()
        come_back(trial, beat, whole, function)


@pytest.mark.parametrize("beat", BEGINNINGS)
def test_at_the_beginning_a_code_of_the_library_is_one_try_a_tick(trial: Trial, beat: str) -> None:
    whole = work(trial, beat)
    for function in first_calls(trial, beat):
        for gpu, code in itertools.product(GPUS, OF_LIBRARY):
            what = f"{function} {code} on GPU {gpu}"
            begin(trial, beat)
            trial.plant(function, {gpu: code})
            assert trial.bench.attempt(beat) is not State.OK, what
            assert not LIBRARY.sessions, what
            assert trial.ended == 1, what
            assert trial.begun == int(beat == "sample"), what
            assert len(trial.lines) == 1, f"{what}: {trial.lines}"
            trial.machine.fake.mend()
        for method in ("sample", "sample", *others(beat)):
            trial.bench.attempt(method)
        assert trial.cells(beat) == whole, function


def test_what_instances_are_asked_is_tried(trial: Trial) -> None:
    """What whole GPUs are asked too is tried on whole ones."""
    trial.only = EVERY
    trial.run("sample")
    seen = set(trial.functions(lambda: trial.run("sample", *BEATS)))
    assert {name for name in seen if "Mig" in name} <= OF_INSTANCES | {"nvmlDeviceGetMigMode"}
