# SPDX-License-Identifier: MIT
from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from hwinfod import hotplug
from hwinfod.engine import discover
from hwinfod.errors import Absent, ReadError
from hwinfod.hotplug import HotPlug
from hwinfod.sources.uevent import Uevent


class Kernel:
    """The kernel's socket, said by the test: `tell` makes it readable with these events."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self._next: tuple[list[Uevent], bool] | Exception = ([], True)
        self.closed = False

    def tell(self, events: Iterable[tuple[str, str]], *, whole: bool = True) -> None:
        self._next = [Uevent(action, "/devices/x", subsystem, "", "") for action, subsystem in events], whole
        os.write(self._writer, b"x")

    def fail(self) -> None:
        self._next = ReadError("kernel uevents: Input/output error", errno.EIO)
        os.write(self._writer, b"x")

    def fileno(self) -> int:
        return self._reader

    def read(self) -> tuple[list[Uevent], bool]:
        os.read(self._reader, 1)
        if isinstance(self._next, Exception):
            raise self._next
        return self._next

    def close(self) -> None:
        self.closed = True
        os.close(self._reader)
        os.close(self._writer)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(hotplug, "UeventSocket", lambda: kernel)
    monkeypatch.setattr(hotplug, "_SETTLE_SECONDS", 0.02)
    return kernel


HEARD: list[bool] = []


def rescans(act: Callable[[HotPlug], None]) -> int:
    """How often it asks for a rescan, until the loop has nothing left to do."""
    calls: list[None] = []
    HEARD.clear()

    async def live() -> None:
        subsystems = {name for kind in discover() for name in kind.subsystems}
        plug = HotPlug(lambda: calls.append(None), HEARD.append, subsystems)
        plug.open()
        act(plug)
        await asyncio.sleep(0.2)
        plug.close()

    asyncio.run(live())
    return len(calls)


def test_what_a_collector_waits_for_is_looked_for_once(kernel: Kernel) -> None:
    assert rescans(lambda _: kernel.tell([("add", "module"), ("add", "drm"), ("bind", "pci"), ("add", "hwmon")])) == 1


@pytest.mark.parametrize("event", [("add", "net"), ("remove", "pci"), ("change", "drm"), ("add", "queues")])
def test_what_nobody_waits_for_costs_nothing(kernel: Kernel, event: tuple[str, str]) -> None:
    assert rescans(lambda _: kernel.tell([event])) == 0


def test_after_an_overrun_it_looks_for_itself(kernel: Kernel) -> None:
    assert rescans(lambda _: kernel.tell([], whole=False)) == 1


def test_without_events_the_collectors_own_rescans_remain(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> Kernel:
        raise Absent("no kernel uevents: Operation not permitted")

    monkeypatch.setattr(hotplug, "UeventSocket", refuse)
    with caplog.at_level("INFO"):
        assert rescans(lambda _: None) == 0
    assert "found within ten seconds" in caplog.text
    assert HEARD == []


def test_a_socket_that_breaks_is_closed_and_told(kernel: Kernel, caplog: pytest.LogCaptureFixture) -> None:
    assert rescans(lambda _: kernel.fail()) == 0
    assert kernel.closed
    assert HEARD == [True, False]
    assert "found within ten seconds" in caplog.text


@pytest.mark.tier("root")
def test_the_real_kernel_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device is announced anew at our request: Documentation/ABI/testing/sysfs-uevent."""
    monkeypatch.setattr(hotplug, "_SETTLE_SECONDS", 0.02)
    device = next(Path("/sys/bus/pci/devices").iterdir())

    def announce(_: HotPlug) -> None:
        (device / "uevent").write_text("add")

    assert rescans(announce) >= 1
