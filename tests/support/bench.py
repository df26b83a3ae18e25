# SPDX-License-Identifier: MIT
"""One collector on a bench: the real wrapper and tables, roots of the test's own, a clock that stands still."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwinfod.core.catalog import catalog_of
from hwinfod.core.collector import MAIN, Collector
from hwinfod.core.event import Event
from hwinfod.core.health import State
from hwinfod.core.host import Host
from hwinfod.core.metric import Level
from hwinfod.core.ring import Ring
from hwinfod.core.runner import Runner
from hwinfod.settings import Setting, Settings, Table
from hwinfod.sources.files import Roots
from tests.unit.core.builders import FakeClock


class Bench:
    """`proc`, `sys` and `root` below a directory are the host's; without one it is this machine. `beside`: another
    collector of the same host."""

    def __init__(
        self,
        kind: type[Collector],
        directory: Path | None = None,
        settings: Mapping[Setting[Any], Any] | None = None,
        *,
        beside: Bench | None = None,
    ) -> None:
        roots = Roots() if directory is None else Roots(*(str(directory / name) for name in ("proc", "sys", "root")))
        self.clock: FakeClock = FakeClock() if beside is None else beside.clock
        self.host: Host = beside.host if beside else Host(self.clock, roots, Ring(1 << 20, 3600), catalog_of([kind]))
        self.runner = Runner(kind, self.host, Settings.of(Table(kind.settings), settings), kind.beats())

    def run(self, method: str = MAIN, *, after: float = 1.0) -> dict[str, int | float]:
        """The values of one more tick, `after` so many seconds; fails where the collector does."""
        state = self.attempt(method, after=after)
        assert state is State.OK, f"{state}: {self.runner.health.reason}"
        return self.values(method)

    def attempt(self, method: str = MAIN, *, after: float = 1.0) -> State:
        self.clock.advance(after)
        self.runner.run(method)
        row = self.runner.tables[method].latest
        named = [series for series in row.layout.columns if series is not None] if row is not None else []
        assert len(named) == len(set(named)), "columns were bound anew that nobody had given up"
        return self.runner.health.state

    def values(self, method: str = MAIN, level: Level = Level.DETAILED) -> dict[str, int | float]:
        """What the last row of a table has, by `name{label=value}`; absent values are not in it."""
        row = self.runner.tables[method].latest
        assert row is not None
        return {
            _name(series.metric.name, series.metric.labels, series.labels): value
            for series, value in zip(row.layout.columns, row.values)
            if series is not None and value is not None and series.level <= level
        }

    @property
    def skipped(self) -> dict[str, str]:
        return self.runner.health.skipped

    @property
    def reason(self) -> str:
        return self.runner.health.reason

    def events(self) -> list[Event]:
        return self.host.events.since(0)

    def infos(self) -> set[str]:
        """The info series, as `name{label=value}`."""
        return {
            _name(device.info.name, device.info.labels, device.info_labels())
            for device in self.host.devices.current.values()
            if device.info is not None
        }


def _name(name: str, labels: tuple[str, ...], values: tuple[str, ...]) -> str:
    pairs = ",".join(f"{label}={value}" for label, value in zip(labels, values))
    return f"{name}{{{pairs}}}" if pairs else name
