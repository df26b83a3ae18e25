# SPDX-License-Identifier: MIT
"""Every return code of NVML, from every call that is about no GPU, and from every call for its events."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hwinfod.collectors.nvidia_events import NvidiaEvents
from hwinfod.core.health import State
from hwinfod.core.runner import RESCAN_SECONDS
from hwinfod.sources.nvml import LIBRARY
from tests.support import nvml_profiles as profiles
from tests.support.nvml import XID
from tests.support.nvml_machine import Machine
from tests.support.nvml_trial import CODES, GPUS, OF_DEVICE, OF_LIBRARY, OF_VALUE, UP_CELL, Trial, mixtures

pytestmark = pytest.mark.tier("compiler")

VITAL = frozenset({"nvmlInitWithFlags", "nvmlDeviceGetCount_v2"})  # without them there is nothing to be had
GIVING_BACK = frozenset({"nvmlShutdown", "nvmlGpmSampleFree"})
COMPARING = "nvmlGpmMetricsGet"  # not before the second tick


@pytest.fixture
def h100(start: Callable[..., Machine]) -> Machine:
    return start(profiles.h100(mig=()))


@pytest.fixture
def values(h100: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Trial:
    return Trial(h100, monkeypatch, caplog)


@pytest.fixture
def events(h100: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Trial:
    return Trial(h100, monkeypatch, caplog, NvidiaEvents)


def closing(trial: Trial) -> None:
    trial.run("sample", "sample")
    trial.bench.runner.close()


def test_values(values: Trial) -> None:
    """A code of the library, and any of a call without which there is nothing, costs one try a tick and one line."""
    functions = values.functions(lambda: closing(values), of_gpus=False)
    assert set(functions) > VITAL | GIVING_BACK | {COMPARING}
    for function in functions:
        for code in CODES:
            values.start_anew()
            values.machine.fake.fail(function, code)
            states = [values.bench.attempt() for _ in range(2)]
            what = f"{function} {code}: {values.bench.reason}"
            works = [State.OK, State.OK]
            if function in VITAL or (code in OF_LIBRARY and function not in GIVING_BACK):
                works = [State.OK] if function == COMPARING else []
            assert [state for state in states if state is State.OK] == works, what
            assert not values.bench.reason or values.bench.reason.startswith(("nvml", "the NVIDIA", "no libnv")), what
            assert values.ended <= 2 * values.begun, what
            assert len(values.lines) <= len(GPUS), f"{what}: {values.lines}"
            values.machine.fake.mend()
            values.bench.attempt(after=61)
            for _ in range(2):
                values.bench.attempt()
            up = values.cells("sample")
            assert all(up[gpu].get(UP_CELL) == 1 for gpu in GPUS), what


def told(trial: Trial) -> dict[int, int]:
    """An Xid happens to each GPU: by GPU, how often it was counted more than before."""
    cell = ("hw_gpu_xid_errors_total", ("13", "application"))
    before = trial.cells("sample")
    for gpu in GPUS:
        trial.machine.fake.event(gpu, XID, 13)
    trial.run("sample")
    now = trial.cells("sample")
    return {gpu: int(now[gpu].get(cell) or 0) - int(before[gpu].get(cell) or 0) for gpu in GPUS}


def test_a_gpu_that_cannot_be_asked_for_events_costs_its_own(events: Trial) -> None:
    for function in events.functions(lambda: events.run("sample")):
        for codes in [*mixtures(OF_VALUE), *mixtures(OF_DEVICE)]:
            events.start_anew()
            events.plant(function, codes)
            assert told(events) == {gpu: int(gpu not in codes) for gpu in GPUS}, f"{function} {codes}"
            events.run("sample")
            refused = set(codes.values()).isdisjoint(OF_DEVICE)  # of a lost one the values' collector says so
            assert len(events.lines) <= (len(codes) if refused else 0), f"{function} {codes}: {events.lines}"
            events.machine.fake.mend()


def test_a_library_that_fails_is_connected_to_again(events: Trial) -> None:
    every = dict.fromkeys(GPUS, 1)
    for function in events.functions(lambda: events.run("sample")):
        for code in OF_LIBRARY:
            for gpu in GPUS:
                events.start_anew()
                events.plant(function, {gpu: code})
                events.run("sample")
                assert not LIBRARY.sessions, f"{function} {code}"
                assert len(events.lines) <= 1, f"{function} {code}: {events.lines}"
                events.machine.fake.mend()
                assert told(events) == every, f"{function} {code}"
                assert events.begun == 2, f"{function} {code}"


def test_a_call_for_all_events(events: Trial) -> None:
    every = dict.fromkeys(GPUS, 1)
    functions = events.functions(lambda: closing(events), of_gpus=False)
    assert {"nvmlEventSetCreate", "nvmlEventSetWait_v2", "nvmlEventSetFree"} < set(functions)
    for function in functions:
        for code in CODES:
            events.start_anew()
            events.machine.fake.fail(function, code)
            events.run("sample", "sample", "sample")
            assert len(events.lines) <= 1, f"{function} {code}: {events.lines}"
            events.machine.fake.mend()
            events.run("sample", after=RESCAN_SECONDS)
            assert told(events) == every, f"{function} {code}"


@pytest.mark.parametrize("code", OF_LIBRARY)
@pytest.mark.parametrize("finds", ["sample", "events"])
def test_both_collectors_let_go_before_one_begins_anew(values: Trial, finds: str, code: int) -> None:
    """NVML is shut down and mapped anew as one: a session that stayed open would keep the old library."""
    events = values.machine.bench(NvidiaEvents, beside=values.bench)
    values.run("sample")
    events.run()
    path, values.begun = LIBRARY.path, 0
    values.machine.fake.install("580.65.06")
    function = {"sample": "nvmlDeviceGetFieldValues", "events": "nvmlEventSetWait_v2"}[finds]
    values.machine.fake.fail(function, code)
    first, second = (values.bench, events) if finds == "sample" else (events, values.bench)
    first.attempt()
    assert len(LIBRARY.sessions) == 1
    values.machine.fake.mend()
    first.attempt()
    assert (LIBRARY.path, values.begun) == (path, 0)
    second.attempt()
    first.attempt()
    assert (values.begun, len(LIBRARY.sessions)) == (2, 2)
    assert LIBRARY.path.endswith("580.65.06")
    assert [first.runner.health.state, second.runner.health.state] == [State.OK, State.OK]
    values.run("sample", "sample")
    assert all(values.cells("sample")[gpu][UP_CELL] == 1 for gpu in GPUS)
