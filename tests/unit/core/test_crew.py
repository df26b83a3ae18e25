# SPDX-License-Identifier: MIT
"""Lanes that prove quick share a thread, and one that hangs costs the others a moment, once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hwinfod.core.clock import Clock
from hwinfod.core.crew import LATE_SECONDS, Crew
from hwinfod.core.lane import PROVEN_TURNS, QUICK_SECONDS, Lane
from tests.unit.core.builders import FakeClock
from tests.unit.core.test_lane import fresh_kind, make_runner

PATIENCE = 60


class Alarm:
    """Goes off when a test says so. `times` is what it was set to, None for cleared."""

    def __init__(self) -> None:
        self.times: list[float | None] = []

    def set(self, seconds: float) -> None:
        self.times.append(seconds)

    def clear(self) -> None:
        self.times.append(None)


class Ship:
    """A crew and its lanes, on a clock that stands still."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.alarm = Alarm()
        self.crew = Crew(self.clock, self.alarm)
        self.lanes: list[Lane] = []

    def lane(self, name: str) -> Lane:
        lane = Lane(name, self.clock, 0.0, self.crew.take)
        self.lanes.append(lane)
        lane.start()
        return lane

    def proven(self, name: str) -> Lane:
        """A lane that is in the crew."""
        lane = self.lane(name)
        prove(lane)
        return lane


@pytest.fixture
def ship() -> Iterator[Ship]:
    ship = Ship()
    yield ship
    for lane in ship.lanes:
        lane.stop()
    assert all(lane.join(PATIENCE) for lane in ship.lanes)


def thread_of(lane: Lane, act: Callable[[], object] = lambda: None) -> int:
    """The thread on which a lane takes its turn, in which it does this as well."""
    found: list[int] = []
    done = threading.Event()

    def command() -> None:
        act()
        found.append(threading.get_ident())
        done.set()

    lane.submit(command)
    assert done.wait(PATIENCE), f"lane {lane.name} did not take a turn"
    return found[0]


def next_turn(lane: Lane) -> int:
    """The thread of a turn that begins after now: a first command may still belong to the turn before."""
    thread_of(lane)
    return thread_of(lane)


def prove(lane: Lane) -> None:
    for _ in range(PROVEN_TURNS + 1):
        next_turn(lane)


class Hang:
    """A command that does not return until it is told to."""

    def __init__(self, lane: Lane) -> None:
        self.inside, self._release = threading.Event(), threading.Event()
        self.thread = 0
        lane.submit(self._hang)
        assert self.inside.wait(PATIENCE)

    def _hang(self) -> None:
        self.thread = threading.get_ident()
        self.inside.set()
        assert self._release.wait(PATIENCE)

    def release(self) -> None:
        self._release.set()


def test_a_lane_begins_on_its_own_and_shares_a_thread_when_it_has_proven_quick(ship: Ship) -> None:
    one, other = ship.lane("one"), ship.lane("other")
    assert thread_of(one) != thread_of(other)
    prove(one)
    prove(other)
    assert thread_of(one) == thread_of(other)


def test_a_lane_without_a_crew_keeps_its_thread() -> None:
    lane = Lane("alone", FakeClock(), 0.0)
    lane.start()
    assert len({thread_of(lane) for _ in range(3 * PROVEN_TURNS)}) == 1
    lane.stop()
    assert lane.join(PATIENCE)


def test_one_that_is_slow_leaves_and_comes_back_when_it_has_proven_quick_again(ship: Ship) -> None:
    one, other = ship.proven("one"), ship.proven("other")
    shared = thread_of(other)
    thread_of(one, lambda: ship.clock.advance(2 * QUICK_SECONDS))
    assert next_turn(one) != shared
    assert thread_of(other) == shared
    prove(one)
    assert thread_of(one) == shared


def test_one_that_hangs_keeps_the_thread_and_another_takes_the_rest(ship: Ship) -> None:
    hanging, other = ship.proven("hanging"), ship.proven("other")
    shared = thread_of(other)
    hang = Hang(hanging)
    assert hang.thread == shared
    waiting = threading.Event()
    other.submit(waiting.set)
    ship.clock.advance(LATE_SECONDS)
    ship.crew.relieve()
    assert waiting.wait(PATIENCE), "the others go on"
    relief = thread_of(other)
    assert relief != shared
    hang.release()
    assert thread_of(hanging) == shared, "a call that was late leaves the lane with the thread it was on"
    prove(hanging)
    assert thread_of(hanging) == relief


def test_an_alarm_that_comes_late_or_for_the_lane_before_relieves_nobody(ship: Ship) -> None:
    one, other = ship.proven("one"), ship.proven("other")
    shared = thread_of(one)
    ship.crew.relieve()  # nobody is served
    assert thread_of(one) == thread_of(other) == shared
    hang = Hang(one)
    ship.clock.advance(LATE_SECONDS / 4)
    ship.crew.relieve()
    assert ship.alarm.times[-1] == pytest.approx(LATE_SECONDS * 3 / 4)
    hang.release()
    assert thread_of(one) == thread_of(other) == shared


def test_the_alarm_is_set_for_a_turn_and_cleared_before_a_wait(ship: Ship) -> None:
    one = ship.proven("one")
    thread_of(one)
    hang = Hang(one)
    assert ship.alarm.times[-1] == LATE_SECONDS
    hang.release()
    thread_of(one)
    while ship.alarm.times[-1] is not None:
        time.sleep(0.001)
    assert set(ship.alarm.times) == {LATE_SECONDS, None}


def test_what_ends_a_thread_ends_one_lane(ship: Ship, caplog: pytest.LogCaptureFixture) -> None:
    broken, other = ship.proven("broken"), ship.proven("other")

    def leave() -> None:
        raise SystemExit(3)

    broken.submit(leave)
    assert broken.join(PATIENCE)
    assert thread_of(other)
    assert [record.message for record in caplog.records] == ["lane broken ended"]


def test_the_last_that_leaves_ends_the_thread_and_the_next_begins_another(ship: Ship) -> None:
    one = ship.proven("one")
    one.stop()
    assert one.join(PATIENCE)
    other = ship.proven("other")
    assert thread_of(other)


def test_where_no_thread_can_be_had_the_next_look_tries_again(ship: Ship, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, other = ship.proven("hanging"), ship.proven("other")
    hang = Hang(hanging)
    waiting = threading.Event()
    other.submit(waiting.set)
    ship.clock.advance(LATE_SECONDS)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="can't start new thread"):
                ship.crew.relieve()
    ship.crew.relieve()
    assert waiting.wait(PATIENCE)
    hang.release()


def test_one_that_is_slow_stays_where_it_can_have_no_thread(
    ship: Ship, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = ship.proven("one"), ship.proven("other")
    shared = thread_of(other)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        thread_of(one, lambda: ship.clock.advance(2 * QUICK_SECONDS))
        assert next_turn(one) == thread_of(other) == shared
    assert [record.message for record in caplog.records] == ["lane one stays with the others: can't start new thread"]


def refuse(_thread: threading.Thread) -> None:
    """As where the unit's TasksMax= is reached."""
    raise RuntimeError("can't start new thread")


def test_no_command_is_lost_while_a_lane_goes_to_and_fro(ship: Ship) -> None:
    """Every seventh command is slow, so that the lanes change between threads all the time."""
    lanes = [ship.lane(name) for name in ("one", "two", "three")]
    each, kinds_of_turn = 700, (lambda: ship.clock.advance(2 * QUICK_SECONDS), lambda: None)
    done = [threading.Semaphore(0) for _ in lanes]
    threads: set[int] = set()

    def submit(number: int) -> None:
        for count in range(each):

            def command(slow: bool = count % 7 == 0) -> None:
                kinds_of_turn[0 if slow else 1]()
                threads.add(threading.get_ident())
                done[number].release()

            lanes[number].submit(command)
            if count % 3 == 0:
                assert done[number].acquire(timeout=PATIENCE)
                done[number].release()

    submitters = [threading.Thread(target=submit, args=(number,)) for number in range(len(lanes))]
    for submitter in submitters:
        submitter.start()
    for submitter in submitters:
        submitter.join(PATIENCE)
    for number in range(len(lanes)):
        for _ in range(each):
            assert done[number].acquire(timeout=PATIENCE)
    assert len(threads) > 1


def test_collectors_go_on_sampling_on_a_shared_thread() -> None:
    clock = Clock()
    crew = Crew(clock, Alarm())
    lanes, runners = [], []
    for name in ("one", "other"):
        lane, runner = Lane(name, clock, 0.0, crew.take), make_runner(clock, fresh_kind(closed=0), interval=0.02)
        lane.start()
        lane.submit(lambda lane=lane, runner=runner: lane.add(runner))  # type: ignore[misc]
        prove(lane)
        lanes.append(lane)
        runners.append(runner)
    before = [runner.health.runs for runner in runners]
    while any(runner.health.runs < count + 5 for runner, count in zip(runners, before)):
        time.sleep(0.01)
    for lane in lanes:
        lane.stop()
    crew.end(clock.monotonic() + PATIENCE)
    assert all(lane.join(0) for lane in lanes)
    assert [runner.kind.closed for runner in runners] == [1, 1]  # type: ignore[attr-defined]


def test_the_end_waits_for_none_that_hangs_behind_another() -> None:
    clock = Clock()
    crew = Crew(clock, Alarm())
    lanes = [Lane(name, clock, 0.0, crew.take) for name in ("one", "two", "three")]
    for lane in lanes:
        lane.start()
        prove(lane)
    hang = Hang(lanes[0])
    for lane in lanes:
        lane.stop()
    crew.end(clock.monotonic() + PATIENCE)
    assert [lane.join(0) for lane in lanes[1:]] == [True, True]
    assert not lanes[0].join(0)
    hang.release()
    assert lanes[0].join(PATIENCE)
