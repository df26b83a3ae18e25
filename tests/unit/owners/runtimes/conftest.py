# SPDX-License-Identifier: MIT
"""Waits that are seconds in the field are moments here: they are waited for, never counted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod.owners.runtimes import cri, link, pod_resources, runtime


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(link, "LONGEST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(runtime, "SECOND_LIST_SECONDS", 0.1)
    monkeypatch.setattr(runtime, "LIST_SECONDS", 0.3)
    monkeypatch.setattr(runtime, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(cri, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(cri, "LIST_SECONDS", 0.1)
    monkeypatch.setattr(pod_resources, "LIST_SECONDS", 0.05)


@pytest.fixture
def directory() -> Iterator[Path]:
    """One with a short name: a socket's path has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="rt") as name:
        yield Path(name)
