# SPDX-License-Identifier: MIT
"""The host as faces see it: each thing by its latest published snapshot. A face never calls a collector."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hwinfod.core.activity import Activity
from hwinfod.core.device import Devices
from hwinfod.core.event import EventLog
from hwinfod.core.hold import Hold
from hwinfod.core.holding import Holdings
from hwinfod.core.owner import Attribution, NameBoard
from hwinfod.core.series import SeriesIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.clock import Clock
    from hwinfod.core.health import Sampled
    from hwinfod.core.metric import Metric
    from hwinfod.core.ring import Ring
    from hwinfod.core.table import Table


class RootPaths(Protocol):
    """Where the kernel's file systems and the host's root are."""

    @property
    def procfs(self) -> str: ...
    @property
    def sysfs(self) -> str: ...
    @property
    def rootfs(self) -> str: ...
    def proc(self, *parts: str) -> str: ...
    def sys(self, *parts: str) -> str: ...
    def root(self, path: str) -> str: ...


@dataclass(slots=True)
class OwnFigures:
    """What the faces and the composition root count of themselves, for the daemon's own metrics."""

    config_reload_successful: bool = True
    config_unknown_keys: int = 0
    textfile_write_errors: int = 0
    http_requests: int = 0
    http_connections: int = 0


class Host:
    """What the daemon knows. `instance` names this run of the daemon; `catalog` maps a metric's name to the metric
    and its collector."""

    def __init__(self, clock: Clock, roots: RootPaths, ring: Ring, catalog: Mapping[str, tuple[Metric, str]]) -> None:
        self.instance = os.urandom(8).hex()
        self.clock = clock
        self.roots = roots
        self.ring = ring
        self.catalog = catalog
        self.series = SeriesIndex()
        self.events = EventLog(clock)
        self.devices = Devices(clock, self.events)
        self.holdings = Holdings()
        self.activity = Activity(clock)
        self.hold = Hold(clock)
        self.attribution = Attribution()
        self.names = NameBoard()
        self.own = OwnFigures()
        self.runners: Mapping[str, Sampled] = {}

    def tables(self) -> list[Table]:
        """Every table, in the order of the collectors."""
        return [table for runner in self.runners.values() for table in runner.tables.values()]

    def fresh_tables(self) -> list[Table]:
        """The tables whose latest row has not expired: three intervals after its time a row says nothing."""
        now = self.clock.boottime_ns()
        return [table for table in self.tables() if table.latest is not None and now <= table.expires_ns()]
