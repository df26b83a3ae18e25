# SPDX-License-Identifier: MIT
"""The one wrapper: runs a collector's beats, times and counts them, and keeps its failures to itself."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from hwinfod.core.collector import Collector, Context
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.health import Health, State
from hwinfod.core.table import Table
from hwinfod.errors import Absent, HwinfodError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hwinfod.core.host import Host
    from hwinfod.core.metric import Metric
    from hwinfod.settings import Settings

log = logging.getLogger("hwinfod.collector")

RESCAN_SECONDS = 10.0
_ANNOUNCED_RESCAN_SECONDS = 60.0  # of what the kernel tells as it comes
_TIME_NS = 1_000_000  # finer times of samples say nothing and take four bytes a row in the ring
_FAILURES_TO_REOPEN = 3
_MOST_SKIPS_LOGGED = 20


class Runner:
    """Runs one collector on its lane. Nothing that a collector does leaves `run`."""

    def __init__(self, kind: type[Collector], host: Host, settings: Settings, intervals: Mapping[str, float]) -> None:
        self.kind = kind
        self.name = kind.name
        self.summary = kind.summary
        self.intervals = dict(intervals)
        self.opening_method = next(iter(self.intervals), "")  # of several beats one looks for the hardware
        self.health = Health(kind.name, kind.lane)
        self.tables = {
            method: Table(kind.table_name(method), kind.name, seconds, host.series)
            for method, seconds in self.intervals.items()
        }
        self.submit: Callable[[Callable[[], None]], None] = _at_once
        self._host = host
        self._settings = settings
        self._collector: Collector | None = None
        self._failures_in_a_row: dict[str, int] = {}
        self._failing: dict[str, str] = {}
        self._skipped: dict[str, dict[str, str]] = {}

    def is_in_node_exporter(self, metric: Metric) -> bool:
        """Whether node_exporter has this family of the collector too."""
        return self.kind.in_node_exporter and metric not in self.kind.beyond_node_exporter

    @property
    def is_open(self) -> bool:
        return self._collector is not None

    def wait_seconds(self, method: str) -> float:
        """How often a beat is due: its interval, or the rescan while the hardware is not there."""
        interval = self.intervals[method]
        if self.is_open:
            return interval
        is_announced = self._host.is_hardware_announced and self.kind.subsystems
        return max(interval, _ANNOUNCED_RESCAN_SECONDS if is_announced else RESCAN_SECONDS)

    def command(self, act: Callable[[], None]) -> None:
        """From any thread: `act` runs on the lane between two ticks, and is watched and reported as a tick is."""
        self.submit(lambda: self._obey(act))

    def _obey(self, act: Callable[[], None]) -> None:
        self.health.busy_since = self._host.clock.monotonic()
        self.health.step = "command"
        try:
            act()
        except Exception as error:
            self._fail(self.opening_method, error)
        finally:
            self.health.busy_since = None

    def run(self, method: str) -> None:
        """One tick of one beat; opens the collector first where it is not open."""
        health = self.health
        clock = self._host.clock
        health.busy_since = begun = clock.monotonic()
        health.step = method
        cpu = time.thread_time()
        try:
            self._tick(method)
        except Absent as absent:
            self._close()
            self._failing.clear()
            self._enter(State.ABSENT, str(absent), level=logging.DEBUG if absent.told else logging.INFO)
        except Exception as error:  # the isolation that this wrapper is for
            self._fail(method, error)
        finally:
            health.duration_seconds = round(clock.monotonic() - begun, 5)
            health.cpu_seconds = round(health.cpu_seconds + time.thread_time() - cpu, 5)
            health.busy_since = None
            health.runs += 1

    def _tick(self, method: str) -> None:
        collector = self._collector
        if collector is None:
            for table in self.tables.values():
                table.begin()
            collector = self.kind(Context(self._host, self._settings, self.tables, self.health, self.command))
            collector.open()
            self._collector = collector
        table = self.tables[method]
        boottime_ns = self._host.clock.boottime_ns() // _TIME_NS * _TIME_NS
        self.health.skipping = {}
        table.begin()
        getattr(collector, method)()
        row = table.publish(boottime_ns)
        self._host.ring.append(table.name, row, self._host.clock.wall_offset_ns())
        self._failures_in_a_row.pop(method, None)
        self._failing.pop(method, None)
        if not self._failing:
            self.health.last_success_wall_ns = self._host.clock.wall_ns()
        self._settle()
        self._report_skips(method)

    def _fail(self, method: str, error: Exception) -> None:
        self.health.failures += 1
        in_a_row = self._failures_in_a_row[method] = self._failures_in_a_row.get(method, 0) + 1
        if isinstance(error, HwinfodError):
            reason = str(error)
        else:
            reason = f"{type(error).__name__}: {error}"
            log.debug("%s failed", self.name, exc_info=error)
        self._failing[method] = reason
        self._settle()
        if in_a_row >= _FAILURES_TO_REOPEN:
            self._close()

    def _settle(self) -> None:
        """A collector works when all its beats do: one that succeeds says nothing of another that fails."""
        reason = next(iter(self._failing.values()), None)
        self._enter(State.OK if reason is None else State.FAILING, reason or "")

    def _enter(self, state: State, reason: str, *, level: int = logging.INFO) -> None:
        """One log line and one event a change of state, none while it lasts."""
        health = self.health
        before = health.state
        changed = state is not before or (state is State.FAILING and reason != health.reason)
        health.state, health.reason = state, reason
        if not changed:
            return
        name = self.name
        if state is State.ABSENT and before in (State.OK, State.FAILING):
            log.warning("%s: what it read is gone: %s", name, reason)
            self._tell(EventKind.COLLECTOR_FAILED, Severity.WARNING, f"what collector {name} read is gone: {reason}")
        elif state is State.ABSENT:
            log.log(level, "%s: not on this host: %s", name, reason)
        elif state is State.FAILING:
            log.error("%s: %s", name, reason)
            self._tell(EventKind.COLLECTOR_FAILED, Severity.WARNING, f"collector {name}: {reason}")
        elif before is State.FAILING:
            log.info("%s: works again", name)
            self._tell(EventKind.COLLECTOR_RECOVERED, Severity.INFO, f"collector {name} works again")
        elif before is State.ABSENT:
            log.info("%s: found", name)

    def _tell(self, kind: EventKind, severity: Severity, text: str) -> None:
        self._host.events.add(kind, severity, text, key=self.name)

    def _report_skips(self, method: str) -> None:
        """What each beat left out is compared with what the same beat left out before."""
        skipped, before = self.health.skipping, self._skipped.get(method, {})
        self._skipped[method] = skipped
        self.health.skipped = {thing: why for each in self._skipped.values() for thing, why in each.items()}
        if skipped == before:
            return
        new = [thing for thing in skipped if thing not in before]
        for thing in new[:_MOST_SKIPS_LOGGED]:
            log.warning("%s: %s left out: %s", self.name, thing, skipped[thing])
        if len(new) > _MOST_SKIPS_LOGGED:
            log.warning("%s: %d more left out", self.name, len(new) - _MOST_SKIPS_LOGGED)
        back = [thing for thing in before if thing not in skipped]
        if back:
            log.info("%s: read again or gone: %s", self.name, ", ".join(back[:_MOST_SKIPS_LOGGED]))

    def close(self) -> None:
        """Closes the collector on its own lane: the daemon stops, or the collector was switched off."""
        self._close()

    def _close(self) -> None:
        collector, self._collector = self._collector, None
        self._failures_in_a_row.clear()
        if collector is not None:
            try:
                collector.close()
            except Exception:  # a broken close must not keep the next open from happening
                log.exception("%s: close failed", self.name)
        for table in self.tables.values():
            table.clear()


def _at_once(command: Callable[[], None]) -> None:
    """Without a lane, as on the loop, a command runs where it is given."""
    command()
