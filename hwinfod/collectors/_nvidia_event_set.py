# SPDX-License-Identifier: MIT
"""NVML's events: a set that the driver fills, emptied every second without waiting, so that letting go never waits.

Source: nvml.h, nvmlEventType*; DeviceRegisterEvents takes only what SupportedEventTypes names.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwinfod.collectors._nvidia_inventory import find_functions, list_handles
from hwinfod.core.event import Severity
from hwinfod.core.runner import RESCAN_SECONDS
from hwinfod.sources.nvml import Session
from hwinfod.sources.nvml_errors import (
    DRIVER_NOT_LOADED,
    LIBRARY_NOT_FOUND,
    UNINITIALIZED,
    DeviceFailed,
    LibraryFailed,
    NotYet,
    NvmlError,
    Unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.core.collector import Collector
    from hwinfod.core.device import Status
    from hwinfod.sources.nvml import Handle

log = logging.getLogger("hwinfod.nvidia")

_XID = 0x8
_TYPES: dict[int, tuple[str, Severity | None]] = {
    0x1: ("ecc_corrected", None),
    0x2: ("ecc_uncorrected", Severity.CRITICAL),
    0x10: ("clock_changed", None),
    0x80: ("power_source_changed", Severity.WARNING),
    0x200: ("ecc_corrected_storm", Severity.WARNING),
    0x400: ("memory_retirement", Severity.WARNING),
    0x800: ("memory_retirement_failed", Severity.CRITICAL),
    0x1000: ("poison_contained", Severity.WARNING),
    0x2000: ("poison_fatal", Severity.CRITICAL),
    0x4000: ("gpu_unavailable", Severity.CRITICAL),
    0x8000: ("recovery_action_changed", Severity.WARNING),
}
_WANTED = _XID | sum(_TYPES)
_TIMEOUT = 10
_MOST_A_TICK = 10_000
_QUIET = frozenset({UNINITIALIZED, DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND})  # the values' collector says so


@dataclass(frozen=True, slots=True)
class NvmlEvent:
    """`xid` for an Xid, None for anything else that `name` names."""

    uuid: str
    name: str
    xid: int | None = None


class EventSet:
    """A session of its own with one event set for all GPUs."""

    def __init__(self, collector: Collector, places: Sequence[str]) -> None:
        self._collector = collector
        self._places = places
        self._session: Session | None = None
        self._set: Any = None
        self._uuids: dict[int, str] = {}
        self._refused: dict[str, str] = {}
        self._lacking: set[str] = set()
        self._functions: dict[str, Status] | None = None
        self._look_at = 0.0
        self._not_before = 0.0
        self._trouble: LibraryFailed | None = None

    @staticmethod
    def severity(name: str) -> Severity | None:
        """How much an event matters; None for one that is only counted."""
        return next((severity for known, severity in _TYPES.values() if known == name), None)

    def read(self) -> list[NvmlEvent]:
        """What happened since the last call. Raises LibraryFailed; nothing while there is no driver to ask."""
        try:
            session = self._connected()
            return [] if session is None else self._drain(session)
        except NotYet:
            self._not_before = 0.0
            return []
        except LibraryFailed as error:
            self.close()
            if error.code in _QUIET:
                return []
            self._trouble = error
            raise

    def close(self) -> None:
        """Gives the set and the initialisation back."""
        self._free()
        if self._session is not None:
            session, self._session = self._session, None
            session.close()
            self._collector.host.hold.set_holding(self._collector.name, False)

    def _connected(self) -> Session | None:
        if self._collector.host.hold.is_active:
            self.close()
            return None
        if self._session is not None and self._session.is_stale:
            self.close()
        if self._session is None:
            now = self._collector.host.clock.monotonic()
            if now < self._not_before:
                if self._trouble is not None:
                    raise self._trouble
                return None
            self._trouble = None
            self._not_before = now + RESCAN_SECONDS  # without a driver each try maps the library and may call modprobe
            self._session = Session(self._collector.roots, self._places, self._collector.step)
            self._not_before = 0.0
            self._collector.host.hold.set_holding(self._collector.name, True)
        if self._set is None:
            self._create(self._session)
        if self._set is not None:
            self._follow(self._session)
        for thing, error in self._refused.items():
            self._collector.skip(thing, error)
        return self._session

    def _create(self, session: Session) -> None:
        """Raises LibraryFailed; a driver without events has none."""
        try:
            self._set = session.call("nvmlEventSetCreate")
        except LibraryFailed:
            raise
        except Unsupported as error:
            self._tell_lack(error)
        except NvmlError as error:
            self._collector.skip("events", error)

    def _follow(self, session: Session) -> None:
        """Registers all GPUs that are awake, and those that woke up since: the set takes more at any time, and one
        made anew would lose what happens meanwhile. Raises LibraryFailed."""
        now = self._collector.host.clock.monotonic()
        if self._functions is not None and now < self._look_at:
            return
        self._look_at = now + RESCAN_SECONDS
        before, self._functions = self._functions, find_functions(self._collector.roots)
        if before != self._functions:
            self._register(session)

    def _register(self, session: Session) -> None:
        """Those that are not in the set yet. Raises LibraryFailed; a GPU without events has none."""
        self._refused.clear()
        for number, handle in list_handles(session, self._collector.roots, _ignore):
            if _address(handle) in self._uuids:
                continue
            try:
                uuid = session.text("nvmlDeviceGetUUID", handle)
                types = session.call("nvmlDeviceGetSupportedEventTypes", handle) & _WANTED
                if types:
                    session.call("nvmlDeviceRegisterEvents", handle, types, self._set)
                self._uuids[_address(handle)] = uuid
            except LibraryFailed:
                raise
            except DeviceFailed:
                continue  # the values' collector says so
            except Unsupported as error:
                self._tell_lack(error)
            except NvmlError as error:
                self._refused[f"events of GPU number {number}"] = str(error)

    def _tell_lack(self, error: Unsupported) -> None:
        if error.function not in self._lacking:
            self._lacking.add(error.function)
            log.info("this driver or GPU does not support %s: it tells no events", error.function)

    def _drain(self, session: Session) -> list[NvmlEvent]:
        events: list[NvmlEvent] = []
        while self._set is not None and len(events) < _MOST_A_TICK:
            try:
                data = session.call("nvmlEventSetWait_v2", self._set, 0)
            except LibraryFailed:
                raise
            except DeviceFailed:
                self._free()  # the next tick makes a set of those that are left
                break
            except NvmlError as error:
                if error.code != _TIMEOUT:
                    self._collector.skip(error.function, error)
                break
            events += self._events(data)
        return events

    def _events(self, data: Any) -> list[NvmlEvent]:
        uuid = self._uuids.get(_address(data.device), "")
        if data.eventType == _XID:
            return [NvmlEvent(uuid, "xid", int(data.eventData))]
        return [NvmlEvent(uuid, name) for bit, (name, _) in _TYPES.items() if data.eventType & bit]

    def _free(self) -> None:
        if self._set is not None and self._session is not None:
            with contextlib.suppress(NvmlError):
                self._session.call("nvmlEventSetFree", self._set)
        self._set = self._functions = None
        self._uuids.clear()
        self._refused.clear()


def _address(handle: Handle) -> int:
    """The pointer that a handle is: NVML gives the same one in its events."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def _ignore(number: int, error: NvmlError) -> None:
    """The values' collector says which GPUs do not answer."""
