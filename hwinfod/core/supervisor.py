# SPDX-License-Identifier: MIT
"""The supervisor's judgement: which collector hangs. Pure; the daemon's loop calls it every two seconds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hwinfod.core.event import EventKind, Severity
from hwinfod.core.table import STALE_INTERVALS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.core.event import EventLog
    from hwinfod.core.health import Sampled

log = logging.getLogger("hwinfod.supervisor")

_LEAST_SECONDS = 3.0


def busy_seconds(runner: Sampled, now: float) -> float:
    """How long the collector has been in its current call; 0 between calls."""
    since = runner.health.busy_since
    return 0.0 if since is None else max(0.0, now - since)


def supervise(runners: Iterable[Sampled], now: float, events: EventLog) -> None:
    """Marks the collectors that have been in one call for three of their intervals, and says so once.

    A thread in D state cannot be cured by exec, exit or SIGKILL: it is reported, never "fixed".
    """
    for runner in runners:
        health = runner.health
        if health.busy_since is None and not health.stuck:
            continue
        busy = busy_seconds(runner, now)
        stuck = busy > max(_LEAST_SECONDS, STALE_INTERVALS * min(runner.intervals.values()))
        if stuck and not health.stuck:
            text = f"collector {health.name} hangs in {health.step} for {busy:.0f} s; its values are withheld"
            log.error("%s", text)
            events.add(EventKind.COLLECTOR_STUCK, Severity.CRITICAL, text, key=health.name)
        elif health.stuck and not stuck:
            log.info("%s: the call returned", health.name)
            events.add(
                EventKind.COLLECTOR_RECOVERED, Severity.INFO, f"collector {health.name}: the call returned",
                key=health.name,
            )  # fmt: skip
        health.stuck = stuck
