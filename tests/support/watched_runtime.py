# SPDX-License-Identifier: MIT
"""A real runtime as the daemon's collectors see it: their lanes are turned by the test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hwinfod.core.catalog import catalog_of
from hwinfod.core.clock import Clock
from hwinfod.core.collector import Collector
from hwinfod.core.container import Container
from hwinfod.core.event import Event
from hwinfod.core.health import State
from hwinfod.core.holding import Batch, Holding
from hwinfod.core.host import Host
from hwinfod.core.owner import OwnerRecord
from hwinfod.core.ring import Ring
from hwinfod.core.runner import Runner
from hwinfod.owners.collector import Owners
from hwinfod.settings import Settings, Table
from hwinfod.sources.files import Roots

_SECONDS = 60.0


class Watched:
    """One collector of containers, and attribution, on this machine's processes; sockets are below `root`."""

    def __init__(self, kind: type[Collector], root: Path) -> None:
        kinds = (kind, Owners)
        self.host = Host(Clock(), Roots(rootfs=str(root)), Ring(1 << 20, 3600), catalog_of(kinds))
        self.runner, self.owners = (
            Runner(each, self.host, Settings.of(Table(each.settings), None), each.beats()) for each in kinds
        )

    def until(self, reached: Callable[[], object]) -> None:
        end = time.monotonic() + _SECONDS
        while not reached():
            assert time.monotonic() < end, f"not reached: {self.runner.health.skipped} {self.lives()}"
            self.runner.run("sample")
            assert self.runner.health.state is not State.FAILING, self.runner.health.reason
            time.sleep(0.02)

    @property
    def is_up(self) -> bool:
        row = self.runner.tables["sample"].latest
        return row is not None and any(
            series is not None and series.metric.name == "hwinfod_runtime_up" and value == 1
            for series, value in zip(row.layout.columns, row.values)
        )

    def containers(self) -> Mapping[str, Container]:
        """By name."""
        found = (each for known in self.host.containers.current.values() for each in known)
        return {each.name.container or f"sandbox of {each.name.pod}": each for each in found}

    def events(self, name: str) -> list[Event]:
        """Of one container."""
        return [event for event in self.host.events.since(0) if event.attributes.get("container") == name]

    def life(self, name: str) -> list[str]:
        return [event.kind.value.removeprefix("container ") for event in self.events(name)]

    def lives(self) -> dict[str, list[str]]:
        names = dict.fromkeys(event.attributes.get("container", "") for event in self.host.events.since(0))
        return {name: self.life(name) for name in names}

    def owner_of(self, pid: int) -> OwnerRecord:
        """Whom attribution gives a device to that this process holds."""
        self.host.holdings.publish(Batch("GPU-1", 1, {"memory_bytes": 7}, (Holding(pid, 0, {"memory_bytes": 7}),)))
        self.owners.run("sample")
        assert self.owners.health.state is State.OK, self.owners.health.reason
        (record,) = self.host.attribution.owners.values()
        return record


@contextmanager
def watch(kind: type[Collector], root: Path) -> Iterator[Watched]:
    """Followed from here on: what happens next is news."""
    watched = Watched(kind, root)
    try:
        watched.until(lambda: watched.is_up)
        yield watched
    finally:
        watched.runner.close()
        watched.owners.close()
