# SPDX-License-Identifier: MIT
"""The one wrapper: nothing that a collector does leaves it, and each change of state is said once."""

from __future__ import annotations

import logging

import pytest

from hwinfod.core.event import EventKind
from hwinfod.core.health import State
from hwinfod.core.runner import RESCAN_SECONDS, Runner
from hwinfod.errors import Absent, ParseError
from tests.unit.core.builders import VALUE, Counting, FakeClock, make_host


@pytest.fixture
def kind():
    return type("Fresh", (Counting,), {"opened": 0, "closed": 0, "fault": None, "__module__": Counting.__module__})


@pytest.fixture
def host(kind):
    return make_host(FakeClock(), kind)


@pytest.fixture
def runner(kind, host):
    runner = Runner(kind, host, None, {"sample": 1.0})
    host.runners = {kind.name: runner}
    return runner


def latest(runner):
    row = runner.tables["sample"].latest
    return None if row is None else row.values


def test_a_run_opens_samples_publishes_and_records(runner, host, kind):
    runner.run("sample")
    assert (runner.health.state, latest(runner), kind.opened) == (State.OK, [1], 1)
    host.clock.advance(1)
    runner.run("sample")
    assert (latest(runner), kind.opened, runner.health.runs) == ([2], 1, 2)
    series = runner.tables["sample"].latest.layout.columns[0]
    assert host.ring.read("counting", series, 0, 2**63).values == [1, 2]
    assert runner.health.last_success_wall_ns == host.clock.wall_ns()


@pytest.mark.parametrize("error", [ParseError("bad bytes"), OSError(5, "Input/output error"), ZeroDivisionError("x")])
def test_an_error_keeps_to_itself_and_is_said_once(runner, host, kind, caplog, error):
    caplog.set_level(logging.INFO)
    runner.run("sample")
    kind.fault = error
    for _ in range(2):
        runner.run("sample")
    assert runner.health.state is State.FAILING
    assert runner.health.failures == 2
    assert latest(runner) == [1], "the last good row stays until it expires"
    assert [r.levelname for r in caplog.records] == ["ERROR"]
    kind.fault = None
    runner.run("sample")
    assert runner.health.state is State.OK
    assert "works again" in caplog.messages[-1]
    kinds = [event.kind for event in host.events.since(0)]
    assert kinds == [EventKind.COLLECTOR_FAILED, EventKind.COLLECTOR_RECOVERED]


def test_failures_in_a_row_close_and_open_anew(runner, kind):
    runner.run("sample")
    kind.fault = OSError(5, "x")
    for _ in range(3):
        runner.run("sample")
    assert (kind.closed, runner.is_open) == (1, False)
    kind.fault = None
    runner.run("sample")
    assert (kind.opened, latest(runner)) == (2, [1])


def test_hardware_that_is_not_there_is_normal_and_looked_for_again(runner, host, kind, caplog):
    caplog.set_level(logging.INFO)
    kind.fault = Absent("no such thing")
    for _ in range(3):
        runner.run("sample")
    assert runner.health.state is State.ABSENT
    assert runner.health.failures == 0
    assert [r.levelname for r in caplog.records] == ["INFO"]
    assert host.events.since(0) == []
    assert runner.wait_seconds("sample") == RESCAN_SECONDS
    host.is_hardware_announced = True
    assert runner.wait_seconds("sample") == RESCAN_SECONDS, "nobody announces this hardware"
    kind.subsystems = frozenset({"module"})
    assert runner.wait_seconds("sample") == 60
    kind.fault = None
    runner.run("sample")
    assert runner.health.state is State.OK
    assert runner.wait_seconds("sample") == 1.0


def test_hardware_that_leaves_takes_its_values_with_it(runner, host, kind):
    runner.run("sample")
    kind.fault = Absent("unplugged")
    runner.run("sample")
    assert latest(runner) is None
    assert host.fresh_tables() == []
    assert kind.closed == 1


def test_hardware_that_leaves_is_told_as_a_loss_and_its_return_too(runner, host, kind, caplog):
    caplog.set_level(logging.INFO)
    runner.run("sample")
    kind.fault = Absent("unplugged")
    for _ in range(3):
        runner.run("sample")
    kind.fault = None
    runner.run("sample")
    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("WARNING", "counting: what it read is gone: unplugged"),
        ("INFO", "counting: found"),
    ]
    (event,) = host.events.since(0)
    assert event.text == "what collector counting read is gone: unplugged"


def test_a_row_expires_after_three_intervals(runner, host):
    runner.run("sample")
    host.clock.advance(3)
    assert host.fresh_tables() == [runner.tables["sample"]]
    host.clock.advance(0.001)
    assert host.fresh_tables() == []


def test_time_asleep_expires_rows_too(runner, host):
    runner.run("sample")
    host.clock.suspend(3600)
    assert host.fresh_tables() == []


def test_what_is_left_out_is_said_when_it_changes(runner, host, kind, caplog):
    caplog.set_level(logging.INFO)
    sick = {"sda"}
    normal = kind.sample

    def sample(self):
        for name in sorted(sick):
            self.skip(name, OSError(5, "Input/output error"))
        normal(self)

    sample.beat_seconds = 1
    kind.sample = sample
    for _ in range(3):
        runner.run("sample")
    assert runner.health.state is State.OK
    assert list(runner.health.skipped) == ["sda"]
    sick.add("sdb")
    runner.run("sample")
    sick.clear()
    runner.run("sample")
    assert [r.levelname for r in caplog.records] == ["WARNING", "WARNING", "INFO"]


def test_two_beats_of_a_collector_do_not_contradict_each_other_in_the_log(kind, caplog):
    caplog.set_level(logging.INFO)

    def facts(self):
        self.skip("sda", "x")

    facts.beat_seconds = 10
    kind.facts = facts
    host = make_host(FakeClock(), kind)
    runner = Runner(kind, host, None, kind.beats())
    for _ in range(3):
        runner.run("sample")
        runner.run("facts")
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert runner.health.skipped == {"sda": "x"}


def test_a_thousand_sick_things_do_not_flood_the_log(runner, kind, caplog):
    caplog.set_level(logging.INFO)
    normal = kind.sample

    def sample(self):
        for number in range(1000):
            self.skip(str(number), "x")
        normal(self)

    sample.beat_seconds = 1
    kind.sample = sample
    runner.run("sample")
    assert len(caplog.records) == 21
    assert "980 more" in caplog.messages[-1]


def test_a_broken_close_does_not_keep_the_next_open_from_happening(runner, kind):
    def close(self):
        raise OSError("close failed")

    kind.close = close
    runner.run("sample")
    kind.fault = Absent("gone")
    runner.run("sample")
    kind.fault = None
    runner.run("sample")
    assert latest(runner) == [1]


def test_the_catalog_knows_the_metric(host):
    assert host.catalog["hw_test_value"] == (VALUE, "counting")
