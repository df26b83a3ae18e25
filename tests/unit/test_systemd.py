# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod.systemd import Notifier
from tests.support.notify import NotifySocket


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotifySocket]:
    manager = NotifySocket(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", manager.path)
    yield manager
    manager.close()


def test_a_manager_that_does_not_read_holds_nobody(manager: NotifySocket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.path})
    for number in range(2000):
        notifier.status(f"message {number}")
    told = manager.all("STATUS")
    assert told[0] == "message 0"
    assert len(told) < 2000, "the queue was never full, and the test shows nothing"
    notifier.ready("it reads again")
    assert manager.all("STATUS")[-1] == "it reads again"
    notifier.close()
    notifier.ready("too late")
    assert manager.all("STATUS")[-1] == "it reads again"


def test_without_a_manager_it_is_silent() -> None:
    notifier = Notifier({})
    notifier.ready("nobody hears")
    assert notifier.watchdog_seconds == 0


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_is_fed_where_the_unit_has_one(environ: dict[str, str], seconds: float) -> None:
    assert Notifier(environ).watchdog_seconds == seconds
