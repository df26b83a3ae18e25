# SPDX-License-Identifier: MIT
"""Hosts for the real daemon, in memory: a host that moves is written again and again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.fixtures.host import MINIMAL, Host
from tests.support.daemon import make_directory


@pytest.fixture
def host() -> Iterator[Host]:
    """The rich one."""
    directory = make_directory("host")
    yield Host(directory, seed=1)
    shutil.rmtree(directory)


@pytest.fixture
def minimal_host() -> Iterator[Host]:
    directory = make_directory("host")
    yield Host(directory, shape=MINIMAL, seed=1)
    shutil.rmtree(directory)
