# SPDX-License-Identifier: MIT
from __future__ import annotations

import time

import pytest

from hwinfod.sources.clock_step import LEAST_STEP_NS, StepDetector, read_wall_offset

SECOND = 1_000_000_000


def test_steps_both_ways_are_told_once() -> None:
    detector = StepDetector()
    assert detector.update(5 * SECOND, 1000) == 0
    assert detector.update(3605 * SECOND, 1000) == 3600 * SECOND
    assert detector.update(3605 * SECOND, 1000) == 0
    assert detector.update(5 * SECOND, 1000) == -3600 * SECOND


def test_noise_is_no_step_but_drops_add_up() -> None:
    detector = StepDetector()
    detector.update(0, 1000)
    assert detector.update(LEAST_STEP_NS - 1, 1000) == 0
    assert detector.update(-LEAST_STEP_NS + 1, 1000) == 0
    assert detector.update(LEAST_STEP_NS, 1000) == LEAST_STEP_NS


def test_an_uncertain_reading_says_nothing() -> None:
    detector = StepDetector()
    assert detector.update(17 * SECOND, LEAST_STEP_NS) == 0
    assert detector.update(5 * SECOND, 1000) == 0
    assert detector.update(9 * SECOND, LEAST_STEP_NS) == 0
    assert detector.update(5 * SECOND, 1000) == 0


def test_the_best_of_several_readings_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    # Twice we lose the processor between the clocks, then the three readings are close together.
    times = iter([0, 100 * SECOND, 9_000_000, 0, 100 * SECOND, 800_000, 0, 100 * SECOND, 2_000])
    monkeypatch.setattr(time, "clock_gettime_ns", lambda _clock: next(times))
    assert read_wall_offset() == (100 * SECOND - 1000, 2000)


def test_it_gives_up_after_some_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0, 0, 5_000_000] * 4 + [0, 0, 3_000_000] + [0] * 30)
    monkeypatch.setattr(time, "clock_gettime_ns", lambda _clock: next(times))
    assert read_wall_offset()[1] == 3_000_000


def test_the_real_clocks() -> None:
    offset, uncertainty = read_wall_offset()
    now = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert abs(offset - now) < SECOND
    assert 0 <= uncertainty < SECOND
