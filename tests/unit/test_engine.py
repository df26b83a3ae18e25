# SPDX-License-Identifier: MIT
from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from hwinfod.core.collector import beat
from hwinfod.engine import Declared, Engine
from hwinfod.settings import SETTINGS, Settings, Table
from hwinfod.settings.daemon import SYSFS
from tests.unit.core.builders import Counting, FakeClock


class Hanging(Counting):
    """Its call returns when the test lets it."""

    name = "hanging"
    lane = "hanging"
    called = threading.Event()
    released = threading.Event()

    @beat(seconds=1)
    def sample(self) -> None:
        self.called.set()
        assert self.released.wait(60)


DECLARED = Declared.of(Hanging)
INTERVAL = DECLARED.intervals["sample"]
TABLE = Table([*SETTINGS, *DECLARED.settings()], {})


@pytest.fixture
def hung() -> Iterator[Engine]:
    """An engine whose one collector hangs, and is known to."""
    Hanging.called.clear()
    Hanging.released.clear()
    clock = FakeClock()
    engine = Engine([DECLARED], Settings.of(TABLE), clock)
    engine.start()
    assert Hanging.called.wait(60)
    clock.advance(10)
    engine.supervise()
    yield engine
    Hanging.released.set()
    assert engine.stop(60)


@pytest.mark.parametrize("wanted", [{INTERVAL: 5.0}, {DECLARED.switch: False}])
def test_what_hangs_stays_in_sight_until_it_returns(hung: Engine, wanted: dict) -> None:
    before = hung.host.runners["hanging"]
    hung.apply(Settings.of(TABLE, wanted))
    hung.supervise()
    assert hung.host.runners["hanging"] is before
    assert before.health.stuck
    Hanging.released.set()
    wait_for_return(before)
    hung.supervise()
    assert hung.host.runners.get("hanging") is not before
    assert ("hanging" in hung.host.runners) == (INTERVAL in wanted)


def wait_for_return(runner) -> None:
    """The lane's thread ends the call; nothing tells when, and it is soon."""
    while runner.health.busy_since is not None:
        threading.Event().wait(0.001)


@pytest.mark.parametrize(("paths", "relied_on"), [({}, True), ({SYSFS: "/elsewhere"}, False)])
def test_the_kernel_announces_its_own_hardware_alone(paths: dict, relied_on: bool) -> None:
    engine = Engine([], Settings.of(TABLE, paths), FakeClock())
    assert not engine.host.is_hardware_announced
    engine.hear(True)
    assert engine.host.is_hardware_announced is relied_on
    engine.hear(False)
    assert not engine.host.is_hardware_announced
