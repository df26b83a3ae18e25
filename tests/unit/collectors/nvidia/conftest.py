# SPDX-License-Identifier: MIT
"""Machines with NVIDIA's driver, by their fake library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from hwinfod.sources.nvml import LIBRARY
from tests.support import nvml_profiles as profiles
from tests.support.nvml_machine import Machine


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    """NVML has one state a process: what a test leaves open would be in the way of the next."""
    yield
    for session in tuple(LIBRARY.sessions):
        session.close()


Start = Callable[..., Machine]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Makes a machine of a profile; its library follows the environment of this process."""

    def make(state: Mapping[str, object], *, without: Sequence[str] = ()) -> Machine:
        machine = Machine(tmp_path, state, without=without)
        for name, value in machine.fake.environ.items():
            monkeypatch.setenv(name, value)
        return machine

    return make


@pytest.fixture
def a100(start: Start) -> Machine:
    return start(profiles.a100())


@pytest.fixture
def h100(start: Start) -> Machine:
    return start(profiles.h100())
