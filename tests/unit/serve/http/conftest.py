# SPDX-License-Identifier: MIT
"""Nothing in this directory may make asyncio or the server say anything that the test does not ask for."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _asyncio_is_quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    records = [r for phase in ("setup", "call") for r in caplog.get_records(phase)]
    assert [r.getMessage() for r in records if r.name == "asyncio" and r.levelno > logging.DEBUG] == []
