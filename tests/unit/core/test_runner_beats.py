# SPDX-License-Identifier: MIT
"""A collector of several beats works when all of them do."""

from __future__ import annotations

import logging

import pytest

from hwinfod.core.collector import Collector, beat
from hwinfod.core.health import State
from hwinfod.core.runner import Runner
from hwinfod.errors import ParseError
from tests.unit.core.builders import FakeClock, make_host


class TwoBeats(Collector):
    name = "two_beats"
    summary = "two clocks"
    lane = "test"
    fault: Exception | None = None

    @beat(seconds=1)
    def sample(self) -> None:
        if self.fault is not None:
            raise self.fault

    @beat(seconds=10)
    def facts(self) -> None:
        pass


def test_a_beat_that_works_does_not_hide_one_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    kind = type("Fresh", (TwoBeats,), {"fault": ParseError("garbage"), "__module__": __name__})
    host = make_host(FakeClock(), kind)
    runner = Runner(kind, host, None, {"sample": 1.0, "facts": 10.0})
    for _ in range(3):
        for method in ("sample", "sample", "sample", "facts"):
            runner.run(method)
            assert (runner.health.state, runner.health.reason) == (State.FAILING, "garbage")
    assert runner.health.last_success_wall_ns is None
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    kind.fault = None
    runner.run("facts")
    assert runner.health.state is State.FAILING
    runner.run("sample")
    assert runner.health.state is State.OK
    assert "works again" in caplog.messages[-1]
