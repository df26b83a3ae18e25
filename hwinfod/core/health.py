# SPDX-License-Identifier: MIT
"""How a collector fares, as anyone may read it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.metric import Metric
    from hwinfod.core.table import Table


class State(enum.Enum):
    """What a collector is doing. `ABSENT`: this host has no such hardware, which is normal."""

    STARTING = "starting"
    OK = "ok"
    ABSENT = "absent"
    FAILING = "failing"


@dataclass(slots=True)
class Health:
    """A collector's own figures, written by its lane and read by anyone.

    `busy_since` is the monotonic time at which the running call began, None between calls; `step` names that
    call; `stuck` is set by the supervisor; `skipped` are the things that cost only themselves this tick.
    """

    name: str
    lane: str
    state: State = State.STARTING
    reason: str = ""
    runs: int = 0
    failures: int = 0
    overruns: int = 0
    duration_seconds: float | None = None
    cpu_seconds: float = 0.0
    last_success_wall_ns: int | None = None
    busy_since: float | None = None
    step: str = ""
    stuck: bool = False
    skipped: dict[str, str] = field(default_factory=dict)
    skipping: dict[str, str] = field(default_factory=dict)  # of the tick that runs, for the lane alone


class Sampled(Protocol):
    """A collector at work, as faces and the supervisor see it: what it is, how it fares, what it has published."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    def is_in_node_exporter(self, metric: Metric) -> bool: ...
    @property
    def health(self) -> Health: ...
    @property
    def intervals(self) -> Mapping[str, float]: ...
    @property
    def tables(self) -> Mapping[str, Table]: ...
