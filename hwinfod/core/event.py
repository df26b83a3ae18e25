# SPDX-License-Identifier: MIT
"""Events: what happened, when, to what. 10,000 are kept; the same thing again within a minute is one event."""

from __future__ import annotations

import enum
import threading
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hwinfod.core.clock import Clock

KEPT = 10_000
COALESCE_SECONDS = 60
MOST_ATTRIBUTES = 16
_LONGEST_TEXT = 500


class EventKind(enum.Enum):
    """The closed list of what an event can be."""

    CLOCK_STEP = "clock step"
    COLLECTOR_FAILED = "collector failed"
    COLLECTOR_RECOVERED = "collector recovered"
    COLLECTOR_STUCK = "collector stuck"
    CONFIG_RELOADED = "configuration reloaded"
    CONFIG_REFUSED = "configuration refused"
    CONTAINER_CREATED = "container created"
    CONTAINER_DELETED = "container deleted"
    CONTAINER_EXITED = "container exited"
    CONTAINER_OOM_KILLED = "container out of memory"
    CONTAINER_STARTED = "container started"
    DAEMON_STARTED = "daemon started"
    DEVICE_ADDED = "device added"
    DEVICE_CHANGED = "device changed"
    DEVICE_LOST = "device lost"
    DEVICE_RETURNED = "device returned"
    ERRORS_ROSE = "error counter rose"
    FILESYSTEM_HUNG = "filesystem hung"
    FILESYSTEM_RECOVERED = "filesystem recovered"
    GPU_ERROR = "GPU error"
    GPU_FAILED = "GPU failed"
    GPU_RELEASED = "GPU driver released"
    GPU_RESUMED = "GPU driver resumed"
    LINK_DOWN = "link down"
    LINK_UP = "link up"
    MEMORY_ERROR = "memory error"
    NAMES_DISAGREE = "names disagree"
    OOM_KILL = "out-of-memory kill"
    PCIE_ERROR = "PCIe error"
    QP_ERROR = "queue pair in error"


class Severity(enum.IntEnum):
    """How much it matters. Only what needs a person soon is critical."""

    INFO = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened `count` times between `first_wall_ns` and `last_wall_ns`.

    `id` grows by one an event and never returns; `version` is the id counter's value when it last changed, so
    that a reader can ask for what is new. `device` and `owner` are ids, "" where there is none. `private` names
    the attributes that tell of somebody's work (a process, a command); `text` never does.
    """

    id: int
    version: int
    kind: EventKind
    severity: Severity
    text: str
    device: str
    owner: str
    attributes: Mapping[str, str]
    count: int
    first_wall_ns: int
    last_wall_ns: int
    boottime_ns: int
    private: frozenset[str] = frozenset()


class EventLog:
    """The events kept in memory. Any thread adds; a snapshot is a list of immutable events."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._versions = count(1)
        self._events: dict[int, Event] = {}  # by id, oldest first
        self._recent: dict[tuple[EventKind, str, str], int] = {}  # the ids of the last minute, oldest first
        self.version = 0

    def add(
        self,
        kind: EventKind,
        severity: Severity,
        text: str,
        *,
        device: str = "",
        owner: str = "",
        key: str = "",
        attributes: Mapping[str, str] | None = None,
        private: frozenset[str] = frozenset(),
    ) -> None:
        """Something happened. The same (kind, device, key) within a minute of its first time is counted, not added;
        where it is worse now, the event says it in the words of now."""
        what = (kind, device, key)
        with self._lock:
            before = self._find_recent(what)
            if before is not None and severity <= before.severity:
                severity, text, attributes, private = before.severity, before.text, before.attributes, before.private
            self._put(what, before, severity, text, attributes or {}, owner, private)

    def add_amounts(
        self,
        kind: EventKind,
        severity: Severity,
        amounts: Mapping[str, int],
        describe: Callable[[Mapping[str, int]], str],
        *,
        device: str,
        key: str = "",
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """There is so much more of something, as of errors. Amounts of the same within a minute are summed, and what
        `describe` makes of the sums is the text. Attributes are `attributes`, and the sums by name."""
        what = (kind, device, key)
        constant = attributes or {}
        with self._lock:
            before = self._find_recent(what)
            if before is not None:
                severity = max(severity, before.severity)
                earlier = {name: int(text) for name, text in before.attributes.items() if name not in constant}
                amounts = {name: earlier.get(name, 0) + amounts.get(name, 0) for name in {**earlier, **amounts}}
            told = {**constant, **{name: str(amount) for name, amount in amounts.items()}}
            self._put(what, before, severity, describe(amounts), told)

    def _put(
        self,
        what: tuple[EventKind, str, str],
        before: Event | None,
        severity: Severity,
        text: str,
        attributes: Mapping[str, str],
        owner: str = "",
        private: frozenset[str] = frozenset(),
    ) -> None:
        """One more time of what happened, in the place of the event that it was, or as a new one."""
        now = self._clock.wall_ns()
        self.version = version = next(self._versions)
        if before is None:
            kind, device, _ = what
            self._recent[what] = version
            boottime = self._clock.boottime_ns()
            before = Event(version, version, kind, severity, "", device, owner, {}, 0, now, now, boottime)
        self._events[before.id] = replace(
            before, version=version, severity=severity, text=text[:_LONGEST_TEXT], attributes=_bounded(attributes),
            count=before.count + 1, last_wall_ns=now, private=before.private | private,
        )  # fmt: skip
        if len(self._events) > KEPT:
            del self._events[next(iter(self._events))]

    def _find_recent(self, what: tuple[EventKind, str, str]) -> Event | None:
        """The event that this one repeats, out of the last minute. Forgets what is older on the way."""
        recent, now = self._recent, self._clock.wall_ns()
        while recent:
            what_first = next(iter(recent))
            if self._is_recent(self._events.get(recent[what_first]), now):
                break
            del recent[what_first]
        event = self._events.get(recent.get(what, 0))
        if event is not None and not self._is_recent(event, now):
            del recent[what]
            return None
        return event

    @staticmethod
    def _is_recent(event: Event | None, now: int) -> bool:
        return event is not None and now - COALESCE_SECONDS * 1_000_000_000 <= event.first_wall_ns <= now

    def since(self, version: int) -> list[Event]:
        """Events that are new or were counted up since a version, oldest first; all of them since 0."""
        with self._lock:
            return [event for event in self._events.values() if event.version > version]


def _bounded(attributes: Mapping[str, str]) -> Mapping[str, str]:
    return {k: str(v)[:_LONGEST_TEXT] for k, v in list(attributes.items())[:MOST_ATTRIBUTES]}
