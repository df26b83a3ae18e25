# SPDX-License-Identifier: MIT
"""Lanes: ticks on the wall clock's second, one hung call costs one lane, commands between ticks."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.core.clock import Clock, seconds_to_tick
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.health import State
from hwinfod.core.lane import Lane, Schedule
from hwinfod.core.runner import Runner
from hwinfod.core.supervisor import supervise
from hwinfod.errors import Absent
from tests.unit.core.builders import SECOND, Counting, FakeClock, make_host


def fresh_kind(**attributes):
    return type("Fresh", (Counting,), {"__module__": Counting.__module__, "fault": None, **attributes})


def make_runner(clock, kind=None, interval=1.0):
    kind = kind or fresh_kind()
    return Runner(kind, make_host(clock, kind), None, {"sample": interval})


@given(st.integers(0, 2**62), st.sampled_from([0.5, 1.0, 5.0, 15.0]), st.floats(0, 0.9))
def test_ticks_stand_on_multiples_of_the_interval_plus_the_phase(wall_ns, interval, phase):
    wait = seconds_to_tick(wall_ns, interval, phase)
    assert interval / 20 <= wait <= 1.05 * interval
    beyond = (wall_ns + round(wait * 1e9) - round(phase * 1e9)) % round(interval * 1e9)
    assert min(beyond, round(interval * 1e9) - beyond) <= 10


def test_the_first_sample_is_due_at_once_and_the_next_on_the_second():
    clock = FakeClock(1000.25)
    schedule = Schedule(clock, phase_seconds=0.5)
    runner = make_runner(clock)
    schedule.add(runner)
    assert schedule.wait_seconds() == 0
    schedule.run_due()
    assert runner.health.runs == 1
    assert schedule.wait_seconds() == pytest.approx(0.25, abs=1e-6)
    clock.advance(0.25)
    schedule.run_due()
    assert schedule.wait_seconds() == pytest.approx(1.0, abs=1e-6)


def test_a_slow_tick_is_skipped_not_queued():
    clock = FakeClock()
    kind = fresh_kind()
    normal = kind.sample

    def slow(self):
        clock.advance(4.2)
        normal(self)

    slow.beat_seconds = 1
    kind.sample = slow
    runner = make_runner(clock, kind)
    schedule = Schedule(clock, 0)
    schedule.add(runner)
    schedule.run_due()
    assert runner.health.overruns == 4
    assert schedule.wait_seconds() == pytest.approx(0.8, abs=1e-6)
    schedule.run_due()
    assert runner.health.runs == 1


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 0.4, -0.4])
def test_a_jump_of_the_wall_clock_neither_queues_nor_starves(jump):
    clock = FakeClock()
    runner = make_runner(clock)
    schedule = Schedule(clock, 0)
    schedule.add(runner)
    schedule.run_due()
    clock.step_wall(jump)
    for _ in range(10):
        wait = schedule.wait_seconds()
        assert 0 < wait <= 1.05
        clock.advance(wait)
        schedule.run_due()
    assert runner.health.runs == 11
    assert runner.health.overruns == 0
    row = runner.tables["sample"].latest
    assert row.sequence == 11
    assert row.boottime_ns == clock.boottime_ns()


def test_absent_hardware_wakes_the_lane_every_ten_seconds_until_it_is_hurried():
    clock = FakeClock()
    kind = fresh_kind(fault=Absent("none"))
    runner = make_runner(clock, kind)
    schedule = Schedule(clock, 0)
    schedule.add(runner)
    schedule.run_due()
    assert schedule.wait_seconds() == pytest.approx(10.0, abs=0.01)
    kind.fault = None
    schedule.hurry(runner)
    assert schedule.wait_seconds() == 0
    schedule.run_due()
    assert runner.health.state is State.OK


def test_of_several_beats_one_looks_for_the_hardware_and_all_begin_when_it_is_there():
    clock = FakeClock()
    kind = fresh_kind(fault=Absent("none"), opened=0)

    def facts(self):
        type(self).facts_read += 1

    facts.beat_seconds = 30
    kind.facts, kind.facts_read = facts, 0
    runner = Runner(kind, make_host(clock, kind), None, kind.beats())
    schedule = Schedule(clock, 0)
    schedule.add(runner)
    schedule.run_due()
    assert (kind.opened, kind.facts_read) == (1, 0)
    kind.fault = None
    clock.advance(10)
    schedule.run_due()
    schedule.run_due()
    assert (kind.opened, kind.facts_read, runner.health.runs) == (2, 1, 3)
    assert runner.health.overruns == 0


def test_a_lane_runs_commands_and_ends_when_asked():
    lane = Lane("t", Clock(), 0)
    kind = fresh_kind(closed=0)
    runner = make_runner(Clock(), kind)
    done = threading.Event()
    lane.start()
    lane.submit(lambda: lane.add(runner))
    lane.submit(lambda: 1 / 0)  # a broken command must not end the lane
    lane.submit(done.set)
    assert done.wait(60)
    while runner.health.runs == 0:
        threading.Event().wait(0.01)
    lane.stop()
    assert lane.join(60)
    assert kind.closed == 1


def test_a_lane_that_hangs_is_left_behind_and_runs_its_commands_when_it_is_back():
    release, inside = threading.Event(), threading.Event()
    kind = fresh_kind()
    normal = kind.sample

    def hang(self):
        self.step("nvmlDeviceGetTemperature(gpu 3)")
        inside.set()
        release.wait(60)
        normal(self)

    hang.beat_seconds = 1
    kind.sample = hang
    runner = make_runner(Clock(), kind)
    lane = Lane("t", Clock(), 0)
    lane.start()
    lane.submit(lambda: lane.add(runner))
    assert inside.wait(60)
    assert runner.health.step == "nvmlDeviceGetTemperature(gpu 3)"
    done = threading.Event()
    lane.submit(done.set)
    assert not lane.join(0.05)
    release.set()
    assert done.wait(60)
    lane.stop()
    assert lane.join(60)


def test_the_supervisor_tells_of_a_hang_once_and_of_its_end():
    clock = FakeClock()
    kind = fresh_kind()
    host = make_host(clock, kind)
    runner = Runner(kind, host, None, {"sample": 1.0})
    runner.health.busy_since, runner.health.step = clock.monotonic(), "statvfs(/mnt/dead)"
    clock.advance(3.0)
    supervise([runner], clock.monotonic(), host.events)
    assert not runner.health.stuck
    for _ in range(5):
        clock.advance(1)
        supervise([runner], clock.monotonic(), host.events)
    assert runner.health.stuck
    runner.health.busy_since = None
    supervise([runner], clock.monotonic(), host.events)
    assert not runner.health.stuck
    stuck, back = host.events.since(0)
    assert (stuck.kind, stuck.severity, stuck.count) == (EventKind.COLLECTOR_STUCK, Severity.CRITICAL, 1)
    assert "statvfs(/mnt/dead) for 4 s" in stuck.text
    assert back.kind is EventKind.COLLECTOR_RECOVERED


def test_a_slow_collector_is_not_stuck_before_three_of_its_own_intervals():
    clock = FakeClock()
    runner = make_runner(clock, interval=10.0)
    runner.health.busy_since = clock.monotonic()
    clock.advance(29)
    supervise([runner], clock.monotonic(), make_host(clock).events)
    assert not runner.health.stuck
    assert clock.boottime_ns() == 1029 * SECOND
