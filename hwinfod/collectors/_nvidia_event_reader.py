# SPDX-License-Identifier: MIT
"""Counts what the driver reports, from two mouths: NVML's events, which know MIG, and the kernel's log, which knows
the process and what happened before the daemon started. The same Xid comes by both ways: the larger count is true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors import _nvidia_event_families as families
from hwinfod.collectors._nvidia_event_set import EventSet
from hwinfod.collectors._nvidia_inventory import ids_by_place, known_gpus
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.table import Groups
from hwinfod.errors import Denied, Gone, ParseError, ReadError
from hwinfod.sources.kmsg import KernelLog
from hwinfod.sources.nvidia_xid import APPLICATION, HARDWARE, MARKS, classify, explain, parse_xid
from hwinfod.sources.nvml_errors import LibraryFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.core.collector import Collector
    from hwinfod.core.device import Device
    from hwinfod.sources.kmsg import KernelRecord
    from hwinfod.sources.nvidia_xid import Xid

_SEVERITIES = {HARDWARE: Severity.CRITICAL, APPLICATION: Severity.INFO}
_PRIVATE = frozenset({"pid", "process"})
_MOST_XIDS = 512  # of all GPUs together: numbers that a log could make up are not endless series


class EventReader:
    """One opening of the collector."""

    def __init__(self, collector: Collector, places: Sequence[str]) -> None:
        self._collector = collector
        self._host = collector.host
        self._set = EventSet(collector, places)
        self._began = self._host.clock.monotonic()
        self._log_refused = ""
        self._log = self._open_log()
        self._by_log: dict[tuple[str, int], int] = {}
        self._by_nvml: dict[tuple[str, int], int] = {}
        self._last: dict[tuple[str, int], float] = {}
        self._ids: dict[str, str] = {}
        self._others: dict[tuple[str, str], int] = {}
        self._switches: dict[tuple[str, int, str], tuple[int, float]] = {}
        table = collector.table
        self._xids = Groups(
            table,
            lambda key: [(families.XID_ERRORS, tuple(key.split("\0"))), (families.XID_LAST, _without_class(key))],
        )
        self._events = Groups(table, lambda key: [(families.EVENTS, tuple(key.split("\0")))])
        self._sxids = Groups(
            table,
            lambda key: [(metric, tuple(key.split("\0"))) for metric in (families.SXID_ERRORS, families.SXID_LAST)],
        )

    def close(self) -> None:
        self._set.close()
        if self._log is not None:
            self._log.close()

    def let_go(self) -> None:
        if self._host.hold.is_active:
            self._set.close()

    def sample(self) -> None:
        """What was reported since the last look: the log first, because it names the process. Raises LibraryFailed."""
        gpus = known_gpus(self._host)
        self._ids = ids_by_place(gpus)
        self._name_anew()
        self._read_log(gpus)
        trouble = None
        try:
            self._read_events(gpus)
        except LibraryFailed as error:
            trouble = error
        self._fill(gpus)
        if trouble is not None:
            self._collector.skip("events of NVML", trouble)

    def _open_log(self) -> KernelLog | None:
        """Reading it needs a right where kernel.dmesg_restrict is set, as on most hosts; a container may have none."""
        try:
            return KernelLog(self._host.roots.root("/dev/kmsg"), from_start=True)
        except Gone:
            pass
        except Denied as error:
            self._log_refused = f"{error}; CAP_SYSLOG allows it"
        except ReadError as error:
            self._log_refused = str(error)
        return None

    def _read_log(self, gpus: dict[str, Device]) -> None:
        if self._log is None:
            if self._log_refused:
                self._collector.skip("kernel log", self._log_refused)
            return
        for record in self._log.read(MARKS):
            if not record.is_from_kernel:
                continue
            try:
                xid = parse_xid(record.text)
            except ParseError:
                continue
            if xid.is_switch:
                self._note_switch(xid, record)
            else:
                self._note_log(xid, record, gpus)

    def _name_anew(self) -> None:
        """What the log said of an address before anybody knew which GPU is there is that GPU's."""
        for key in [key for key in self._last if self._ids.get(key[0], key[0]) != key[0]]:
            now = (self._ids[key[0]], key[1])
            self._last[now] = max(self._last.pop(key), self._last.get(now, 0.0))
            for counts in (self._by_log, self._by_nvml):
                if key in counts:
                    counts[now] = counts.get(now, 0) + counts.pop(key)

    def _note_log(self, xid: Xid, record: KernelRecord, gpus: dict[str, Device]) -> None:
        id_ = self._ids.get(xid.pci, xid.pci)
        key = (id_, xid.number)
        if not self._admits(key):
            return
        known = max(self._by_log.get(key, 0), self._by_nvml.get(key, 0))
        self._by_log[key] = self._by_log.get(key, 0) + 1
        self._last[key] = self._wall_seconds(record)
        if self._is_new(record) and self._by_log[key] > known:
            self._tell(gpus.get(id_), id_, xid.number, xid)

    def _read_events(self, gpus: dict[str, Device]) -> None:
        for event in self._set.read():
            if event.xid is None:
                key = (event.uuid, event.name)
                self._others[key] = self._others.get(key, 0) + 1
                self._tell_other(gpus.get(event.uuid), event.uuid, event.name)
                continue
            xid = (event.uuid, event.xid)
            if not self._admits(xid):
                continue
            known = max(self._by_log.get(xid, 0), self._by_nvml.get(xid, 0))
            self._by_nvml[xid] = self._by_nvml.get(xid, 0) + 1
            if self._by_nvml[xid] > known:
                self._last[xid] = self._host.clock.wall_ns() / 1e9
                self._tell(gpus.get(event.uuid), event.uuid, event.xid, None)

    def _fill(self, gpus: dict[str, Device]) -> None:
        for id_, number in {**self._by_log, **self._by_nvml}:
            key = (id_, number)
            count = max(self._by_log.get(key, 0), self._by_nvml.get(key, 0))
            labels = (_index(gpus.get(id_)), id_, str(number), classify(number))
            self._xids.set("\0".join(labels), [count, self._last[key]])
        for (uuid, name), count in self._others.items():
            self._events.set("\0".join((_index(gpus.get(uuid)), uuid, name)), [count])
        for (pci, number, severity), (count, last) in self._switches.items():
            self._sxids.set("\0".join((pci, str(number), severity)), [count, last])
        for groups in (self._xids, self._events, self._sxids):
            groups.sweep()

    def _admits(self, key: tuple[str, int]) -> bool:
        return key in self._last or len(self._last) < _MOST_XIDS

    def _is_new(self, record: KernelRecord) -> bool:
        """What the log remembers from before is counted, and no event again."""
        return record.monotonic_us / 1e6 >= self._began

    def _wall_seconds(self, record: KernelRecord) -> float:
        age = self._host.clock.monotonic() - record.monotonic_us / 1e6
        return round(self._host.clock.wall_ns() / 1e9 - max(0.0, age), 3)

    def _tell(self, gpu: Device | None, id_: str, number: int, said: Xid | None) -> None:
        kind = classify(number)
        attributes = {"xid": str(number), "class": kind}
        if said is not None:
            attributes |= {"pid": "" if said.pid is None else str(said.pid), "process": said.process}
            attributes |= {"detail": said.detail}
        meaning = explain(number)
        self._host.events.add(
            EventKind.GPU_ERROR,
            _SEVERITIES.get(kind, Severity.WARNING),
            f"GPU {gpu.name if gpu else id_}: Xid {number} ({kind})" + (f": {meaning}" if meaning else ""),
            device=id_,
            key=f"xid {number}",
            attributes={name: value for name, value in attributes.items() if value},
            private=_PRIVATE,
        )

    def _tell_other(self, gpu: Device | None, uuid: str, name: str) -> None:
        severity = EventSet.severity(name)
        if severity is not None:
            self._host.events.add(
                EventKind.GPU_ERROR,
                severity,
                f"GPU {gpu.name if gpu else uuid}: {name.replace('_', ' ')}",
                device=uuid,
                key=name,
                attributes={"event": name},
            )

    def _note_switch(self, xid: Xid, record: KernelRecord) -> None:
        key = (xid.pci, xid.number, xid.severity)
        if key not in self._switches and len(self._switches) >= _MOST_XIDS:
            return
        count, _ = self._switches.get(key, (0, 0.0))
        self._switches[key] = count + 1, self._wall_seconds(record)
        if self._is_new(record):
            self._host.events.add(
                EventKind.GPU_ERROR,
                Severity.CRITICAL if xid.severity == "fatal" else Severity.WARNING,
                f"NVSwitch {xid.pci}: SXid {xid.number} {xid.severity}".rstrip(),
                device=xid.pci,
                key=f"sxid {xid.number}",
                attributes={"sxid": str(xid.number), "detail": xid.detail},
            )


def _index(gpu: Device | None) -> str:
    return "" if gpu is None else gpu.facts.get("gpu", "")


def _without_class(key: str) -> tuple[str, ...]:
    return tuple(key.split("\0"))[:-1]
