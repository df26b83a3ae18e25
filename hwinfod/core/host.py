# SPDX-License-Identifier: MIT
"""The host as faces see it: each thing by its latest published snapshot. A face never calls a collector."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hwinfod.core.account import Accounting
from hwinfod.core.activity import Activity
from hwinfod.core.board import Board
from hwinfod.core.device import Devices
from hwinfod.core.event import EventLog
from hwinfod.core.grant import Granted
from hwinfod.core.hold import Hold
from hwinfod.core.holding import Holdings, NodeUse
from hwinfod.core.kill import Kills
from hwinfod.core.owner import Attribution
from hwinfod.core.series import SeriesIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.allocation import Allocations
    from hwinfod.core.clock import Clock
    from hwinfod.core.container import Container
    from hwinfod.core.health import Sampled
    from hwinfod.core.metric import Metric
    from hwinfod.core.owner import Names
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
    and its collector; `is_hardware_announced` says that the kernel's events of new hardware are heard."""

    def __init__(self, clock: Clock, roots: RootPaths, ring: Ring, catalog: Mapping[str, tuple[Metric, str]]) -> None:
        self.instance = os.urandom(8).hex()
        self.is_hardware_announced = False
        self.clock = clock
        self.roots = roots
        self.ring = ring
        self.catalog = catalog
        self.series = SeriesIndex()
        self.events = EventLog(clock)
        self.devices = Devices(clock, self.events)
        self.holdings = Holdings()
        self.node_use = NodeUse()
        self.activity = Activity(clock)
        self.hold = Hold(clock)
        self.kills = Kills()
        self.attribution = Attribution()
        self.accounting = Accounting()
        self.names: Board[Names] = Board()
        self.containers: Board[tuple[Container, ...]] = Board()
        self.allocations: Board[Allocations] = Board()
        self.granted = Granted()
        self.own = OwnFigures()
        self.runners: Mapping[str, Sampled] = {}

    def tables(self) -> list[Table]:
        """Every table, in the order of the collectors."""
        return [table for runner in self.runners.values() for table in runner.tables.values()]

    def fresh_tables(self) -> list[Table]:
        """The tables whose latest row has not expired: three intervals after its time a row says nothing."""
        now = self.clock.boottime_ns()
        return [table for table in self.tables() if table.latest is not None and now <= table.expires_ns()]
