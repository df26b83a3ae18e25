# SPDX-License-Identifier: MIT
"""Each thing that happens to a container is told once, by whichever of events and lists tells it first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.core.container import Container, DeviceNode
from hwinfod.core.owner import ContainerName
from hwinfod.owners.runtimes import ledger as module
from hwinfod.owners.runtimes.ledger import CREATED, DELETED, EXITED, OOM, STARTED, Change, Ledger, Told


def container(identifier: str, state: str, *, pid: int | None = None, exit_code: int | None = None) -> Container:
    return Container(ContainerName(identifier, f"name of {identifier}"), "test", state, pid, exit_code)


def kinds(told: list[Told]) -> list[str]:
    return [each.kind for each in told]


@pytest.fixture
def ledger() -> Ledger:
    """One that has seen its first list."""
    made = Ledger("test")
    made.reconcile([], 0)
    return made


def test_a_life_by_events(ledger: Ledger) -> None:
    told = []
    for number, kind in enumerate((CREATED, STARTED, OOM, EXITED, DELETED), 1):
        told += ledger.apply(Change("a", kind, number, 137 if kind == EXITED else None))
    assert kinds(told) == [CREATED, STARTED, OOM, EXITED, DELETED]
    assert told[3].container.exit_code == told[4].container.exit_code == 137
    assert ledger.containers == {}


def test_what_was_there_before_us_is_no_news() -> None:
    ledger = Ledger("test")
    assert ledger.reconcile([container("a", "running"), container("b", "exited")], 10) == []
    assert {each.id: each.state for each in ledger.containers.values()} == {"a": "running", "b": "exited"}
    assert kinds(ledger.apply(Change("a", EXITED, 11, 1))) == [EXITED]


def test_an_event_and_a_list_tell_once(ledger: Ledger) -> None:
    ledger.apply(Change("a", CREATED, 5))
    ledger.apply(Change("a", STARTED, 6))
    assert ledger.reconcile([container("a", "running")], 7) == []
    assert ledger.apply(Change("a", CREATED, 5)) == []
    assert ledger.apply(Change("a", STARTED, 6)) == []


def test_a_list_tells_what_no_event_told(ledger: Ledger) -> None:
    ledger.reconcile([container("a", "running"), container("b", "running")], 1)
    listed = [container("a", "exited", exit_code=3), container("c", "running")]
    told = ledger.reconcile(listed, 10)
    assert [(each.kind, each.container.id) for each in told] == [
        (EXITED, "a"), (CREATED, "c"), (STARTED, "c"), (EXITED, "b"), (DELETED, "b"),
    ]  # fmt: skip
    assert told[0].container.exit_code == 3


def test_a_list_tells_why_once(ledger: Ledger) -> None:
    ledger.reconcile([container("a", "running")], 1)
    listed = [replace(container(name, "exited", exit_code=137), was_out_of_memory=True) for name in ("a", "b")]
    assert kinds(ledger.reconcile(listed, 10)) == [OOM, EXITED, CREATED, OOM, EXITED]
    assert ledger.reconcile(listed, 20) == ledger.apply(Change("a", OOM, 9)) == ledger.explain("a", 10) == []
    assert kinds(ledger.reconcile([container("a", "running"), listed[1]], 30)) == [STARTED]
    assert kinds(ledger.reconcile(listed, 40)) == [OOM, EXITED]


def test_what_is_known_to_be_over_is_not_explained_by_later_lists(ledger: Ledger) -> None:
    ledger.reconcile([container("a", "exited", exit_code=137)], 1)
    assert ledger.reconcile([replace(container("a", "exited", exit_code=137), was_out_of_memory=True)], 10) == []


def test_late_events_of_what_a_list_told_are_no_news(ledger: Ledger) -> None:
    assert kinds(ledger.reconcile([container("a", "exited", exit_code=1)], 10)) == [CREATED, EXITED]
    for kind in (CREATED, STARTED, EXITED):
        assert ledger.apply(Change("a", kind, 9)) == []
    assert kinds(ledger.apply(Change("a", STARTED, 11))) == [STARTED]


def test_an_old_list_takes_nothing_back(ledger: Ledger) -> None:
    ledger.apply(Change("a", CREATED, 10))
    ledger.apply(Change("a", STARTED, 20))
    assert ledger.reconcile([], 5) == []
    assert ledger.reconcile([container("a", "created")], 15) == []
    ledger.apply(Change("a", DELETED, 30))
    assert ledger.reconcile([container("a", "running")], 25) == []
    assert ledger.containers == {}


def test_a_restart_that_nobody_saw_shows_by_its_process(ledger: Ledger) -> None:
    ledger.reconcile([container("a", "running", pid=7)], 1)
    assert kinds(ledger.reconcile([container("a", "running", pid=8)], 2)) == [EXITED, STARTED]
    assert ledger.containers["a"].pid == 8
    assert ledger.reconcile([container("a", "running", pid=8)], 3) == []


def test_out_of_memory_is_told_once_a_run(ledger: Ledger) -> None:
    ledger.apply(Change("a", CREATED, 1))
    ledger.apply(Change("a", STARTED, 2))
    assert kinds(ledger.apply(Change("a", OOM, 3)) + ledger.apply(Change("a", OOM, 4))) == [OOM]
    ledger.apply(Change("a", EXITED, 5, 137))
    ledger.apply(Change("a", STARTED, 6))
    assert kinds(ledger.apply(Change("a", OOM, 7))) == [OOM]


def test_the_reason_of_an_exit_may_be_told_after_it(ledger: Ledger) -> None:
    """containerd's shim sends the two by ways of their own, each with the time at which it was sent."""
    ledger.apply(Change("a", STARTED, 2))
    ledger.apply(Change("a", EXITED, 5, 137))
    assert kinds(ledger.apply(Change("a", OOM, 4)) + ledger.apply(Change("a", OOM, 6))) == [OOM]
    ledger.apply(Change("a", STARTED, 7))
    assert ledger.apply(Change("a", OOM, 6)) == []


@pytest.mark.parametrize(
    ("steps", "seconds", "told"),
    [
        ([(STARTED, 1, None), (EXITED, 60, 137)], 65, [OOM]),
        ([(STARTED, 1, None), (EXITED, 60, 137)], 58, [OOM]),
        ([(STARTED, 1, None), (EXITED, 60, 137)], 90, []),
        ([(STARTED, 1, None), (EXITED, 60, 1)], 65, []),
        ([(STARTED, 1, None), (OOM, 59, None), (EXITED, 60, 137)], 65, []),
        ([(STARTED, 1, None), (EXITED, 60, 137), (STARTED, 61, None)], 65, []),
        ([(STARTED, 1, None), (EXITED, 60, 137), (DELETED, 61, None)], 65, []),
    ],
    ids=["before it", "after it", "another time", "another end", "told already", "runs again", "gone"],
)
def test_a_kill_in_the_kernels_log_explains_an_end_once(
    ledger: Ledger, steps: list[tuple[str, int, int | None]], seconds: int, told: list[str]
) -> None:
    for kind, at, exit_code in steps:
        ledger.apply(Change("a", kind, at * 10**9, exit_code))
    assert kinds([each for _ in range(2) for each in ledger.explain("a", seconds * 10**9)]) == told
    assert ledger.explain("b", seconds * 10**9) == []


def test_a_dead_container_does_not_come_back_by_a_late_event(ledger: Ledger) -> None:
    for number, kind in enumerate((CREATED, STARTED, DELETED), 1):
        ledger.apply(Change("a", kind, number))
    assert ledger.apply(Change("a", EXITED, 2, 0)) == []
    assert ledger.apply(Change("never seen", DELETED, 9)) == []
    assert kinds(ledger.apply(Change("a", CREATED, 10))) == [CREATED]


def test_facts_are_learned_and_life_is_kept(ledger: Ledger) -> None:
    ledger.apply(Change("a", CREATED, 1))
    ledger.apply(Change("a", STARTED, 2))
    node = DeviceNode("/dev/nvidia0", 195, 0)
    ledger.describe(replace(container("a", "unknown", pid=7), device_nodes=(node,)))
    known = ledger.containers["a"]
    assert (known.state, known.pid, known.device_nodes, known.changed_ns) == ("running", 7, (node,), 2)
    (told,) = ledger.apply(Change("a", EXITED, 3, 0))
    assert told.container.device_nodes == (node,)
    assert told.container.pid is None
    ledger.describe(container("unheard of", "running"))
    assert list(ledger.containers) == ["a"]


def test_a_node_with_too_many_containers(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CONTAINERS", 2)
    ledger.reconcile([container(name, "running") for name in "abcd"], 1)
    assert (list(ledger.containers), ledger.overflow) == (["a", "b"], 2)
    assert ledger.apply(Change("e", CREATED, 2)) == []
    assert len(ledger.containers) == 2


class Truth:
    """A runtime: its containers, and each step of a life as the event that it sends."""

    def __init__(self) -> None:
        self.now = 0
        self.states: dict[str, str] = {}

    def step(self, identifier: str, *, delete: bool) -> Change:
        self.now += 1
        state = self.states.get(identifier)
        if state is None:
            self.states[identifier] = "created"
            return Change(identifier, CREATED, self.now)
        if state == "exited" and delete:
            del self.states[identifier]
            return Change(identifier, DELETED, self.now)
        self.states[identifier] = "exited" if state == "running" else "running"
        if state == "running":
            return Change(identifier, EXITED, self.now, 0)
        return Change(identifier, STARTED, self.now)

    def list(self) -> list[Container]:
        return [container(identifier, state) for identifier, state in self.states.items()]


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60)


@given(STEPS)
def test_of_events_that_all_come_each_is_told(steps: list[tuple[str, bool]]) -> None:
    truth, ledger = Truth(), Ledger("test")
    ledger.reconcile([], 0)
    for identifier, delete in steps:
        change = truth.step(identifier, delete=delete)
        assert kinds(ledger.apply(change)) == [change.kind]
        assert kinds(ledger.apply(change)) == []  # sent twice
        assert ledger.reconcile(truth.list(), truth.now) == []


@given(STEPS, st.data())
def test_whatever_is_lost_nothing_is_told_twice_and_a_list_mends_it(
    steps: list[tuple[str, bool]], data: st.DataObject
) -> None:
    truth, ledger = Truth(), Ledger("test")
    ledger.reconcile([], 0)
    told: dict[str, list[str]] = {name: [] for name in "abc"}
    late: list[Change] = []

    def note(news: list[Told]) -> None:
        for each in news:
            told[each.container.id].append(each.kind)

    for identifier, delete in steps:
        change = truth.step(identifier, delete=delete)
        fate = data.draw(st.sampled_from(["comes", "is lost", "comes late", "list"]))
        if fate == "comes late":
            late.append(change)
        elif fate == "list":
            note(ledger.reconcile(truth.list(), truth.now))
        elif fate == "comes":
            for each in late:
                note(ledger.apply(each))
            late.clear()
            note(ledger.apply(change))
    for each in late:
        note(ledger.apply(each))
    truth.now += 1
    note(ledger.reconcile(truth.list(), truth.now))
    assert {each.id: each.state for each in ledger.containers.values()} == truth.states
    for name, words in told.items():
        text = " ".join(words)
        for word in (CREATED, STARTED, EXITED, DELETED):
            assert f"{word} {word}" not in text, (name, words)
