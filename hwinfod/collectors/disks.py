# SPDX-License-Identifier: MIT
"""Disks: what they are, what they do, and how busy they are. Whole physical disks (and what a hypervisor gives as
such): what lies on them (partitions, device-mapper, RAID) would count every byte again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._interval import TimeShares
from hwinfod.core.check import Check
from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device
from hwinfod.core.event import Severity
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.table import Groups
from hwinfod.errors import Absent, Gone, ParseError
from hwinfod.sources.block import read_disk, read_error_count, read_kind, read_size, read_state
from hwinfod.sources.diskstats import SECTOR_BYTES, parse_diskstats_words, split_diskstats
from hwinfod.sources.files import SeqFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hwinfod.core.codec import Value
    from hwinfod.sources.block import Disk
    from hwinfod.sources.diskstats import DiskStats

_STATS = "/proc/diskstats, Documentation/admin-guide/iostats.rst"
_LABELS = ("device",)
_DISK = "disk"
_EMPTY = "empty"
_GOOD_STATES = frozenset({"live", "running"})


def _counter(name: str, help_: str, field: int, unit: str = "", level: Level = Level.STANDARD) -> Metric:
    return Metric(
        name=name,
        kind=Kind.COUNTER,
        unit=unit,
        help=help_,
        source=f"{_STATS}, field {field}",
        labels=_LABELS,
        level=level,
    )


UTILIZATION = Metric(
    name="hw_disk_utilization_ratio",
    kind=Kind.GAUGE,
    unit="ratio",
    help="Part of the last interval with at least one request in flight; a disk that serves many at once can be at 1"
    " and far from its limit.",
    source=f"{_STATS}, field 10",
    labels=_LABELS,
)
IN_FLIGHT = Metric(
    name="hw_disk_requests_in_flight",
    kind=Kind.GAUGE,
    help="Requests that the disk has not finished.",
    source=f"{_STATS}, field 9",
    labels=_LABELS,
    level=Level.DETAILED,
)
_TRAFFIC = (
    UTILIZATION,
    _counter("hw_disk_reads_total", "Reads finished.", 1, level=Level.DETAILED),
    _counter("hw_disk_writes_total", "Writes finished.", 5, level=Level.DETAILED),
    _counter("hw_disk_read_bytes_total", "Data read.", 3, "bytes"),
    _counter("hw_disk_written_bytes_total", "Data written.", 7, "bytes"),
    _counter(
        "hw_disk_read_seconds_total", "Time that reads took, summed over all of them.", 4, "seconds", Level.DETAILED
    ),
    _counter(
        "hw_disk_write_seconds_total", "Time that writes took, summed over all of them.", 8, "seconds", Level.DETAILED
    ),
    IN_FLIGHT,
    _counter("hw_disk_busy_seconds_total", "Time with a request in flight.", 10, "seconds", Level.DETAILED),
    _counter(
        "hw_disk_queue_seconds_total",
        "Time with a request in flight, times how many there were.",
        11,
        "seconds",
        Level.DETAILED,
    ),
    _counter("hw_disk_reads_merged_total", "Reads merged into others.", 2, level=Level.DETAILED),
    _counter("hw_disk_writes_merged_total", "Writes merged into others.", 6, level=Level.DETAILED),
    _counter("hw_disk_discards_total", "Discards finished.", 12, level=Level.DETAILED),
    _counter("hw_disk_discarded_bytes_total", "Data discarded.", 14, "bytes", Level.DETAILED),
    _counter("hw_disk_discard_seconds_total", "Time that discards took.", 15, "seconds", Level.DETAILED),
    _counter("hw_disk_flushes_total", "Flushes finished.", 16, level=Level.DETAILED),
    _counter("hw_disk_flush_seconds_total", "Time that flushes took.", 17, "seconds", Level.DETAILED),
)

SIZE = Metric(
    name="hw_disk_size_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Size of the disk.",
    source="/sys/block/*/size",
    labels=_LABELS,
    level=Level.DETAILED,
)
UP = Metric(
    name="hw_disk_up",
    kind=Kind.GAUGE,
    help="Whether the disk takes requests (1) or is offline, dead or being reset (0); NVMe, SAS and SATA.",
    source="/sys/block/*/device/state",
    labels=_LABELS,
)
ERRORS = Metric(
    name="hw_disk_command_errors_total",
    kind=Kind.COUNTER,
    help="Commands that ended in an error, those included that the disk does not know; SAS and SATA.",
    source="/sys/block/*/device/ioerr_cnt",
    labels=_LABELS,
    level=Level.DETAILED,
)
DISK_INFO = Metric(
    name="hw_disk_info",
    kind=Kind.INFO,
    help="What the disk is.",
    source="/sys/block/*, /sys/block/*/device",
    labels=("device", "model", "serial", "firmware", "transport", "rotational", "pci", "numa_node"),
    level=Level.DETAILED,
)
_FACTS = (SIZE, UP, ERRORS)

DOWN = Check(
    name="disk_down",
    metric=UP,
    wrong=lambda up: up == 0,
    severity=Severity.WARNING,
    text="disk {device} does not take requests",
    remedy="dmesg",
)


class Disks(Collector):
    name = "disks"
    summary = "disk identity, traffic and utilisation"
    in_node_exporter = True
    beyond_node_exporter = frozenset({UP, ERRORS})

    def open(self) -> None:
        self.file = SeqFile(self.roots.proc("diskstats"))
        try:
            self.file.read()
        except Gone as error:
            raise Absent(str(error)) from None
        self.shares = TimeShares()
        self.kinds: dict[str, str] = {}
        self.disks: dict[str, Disk] = {}
        self.is_changed = False
        self.traffic = Groups(self.table, lambda name: [(metric, (name,)) for metric in _TRAFFIC])
        self.states = Groups(self.tables["facts"], lambda name: [(metric, (name,)) for metric in _FACTS])

    @beat(seconds=1)
    def sample(self) -> None:
        lines = split_diskstats(self.file.read())
        self._follow(lines)
        now = self.host.clock.monotonic()
        for name, words in lines.items():
            if self.kinds[name] != _DISK:
                continue
            try:
                stats = parse_diskstats_words(words)
            except ParseError as error:
                self.skip(name, error)
                continue
            share = self.shares.update(name, stats.busy_milliseconds / 1000, now)
            self.traffic.set(name, _traffic_row(stats, share))
        for name in self.traffic.sweep():
            self.shares.forget(name)

    @beat(seconds=10)
    def facts(self) -> None:
        """A disk that comes back under its old name left /proc/diskstats in between, and is looked at anew."""
        for name in [name for name, kind in self.kinds.items() if kind == _DISK]:
            size = read_size(self.roots, name)
            if name not in self.disks or self.disks[name].size_bytes != size:
                self.disks[name] = read_disk(self.roots, name)
                self.is_changed = True
            state = read_state(self.roots, name)
            up = int(state in _GOOD_STATES) if state else None
            self.states.set(name, (size, up, read_error_count(self.roots, name)))
        self.states.sweep()
        if self.is_changed:
            self.host.devices.reconcile(self.name, _devices(self.disks.values()))
            self.is_changed = False
        # A drive without a medium is looked at again: somebody may have put one in.
        self.kinds = {name: kind for name, kind in self.kinds.items() if kind != _EMPTY}

    def _follow(self, lines: Collection[str]) -> None:
        """Learns what is new in /proc/diskstats and forgets what left."""
        for name in lines:
            if name not in self.kinds:
                kind = read_kind(self.roots, name)
                self.kinds[name] = _EMPTY if kind == _DISK and not read_size(self.roots, name) else kind
        if len(self.kinds) > len(lines):
            for name in [name for name in self.kinds if name not in lines]:
                del self.kinds[name]
                self.is_changed |= self.disks.pop(name, None) is not None


def _traffic_row(stats: DiskStats, share: float | None) -> tuple[Value, ...]:
    discarded, discard_ms, flush_ms = stats.discarded_sectors, stats.discard_milliseconds, stats.flush_milliseconds
    return (
        share,
        stats.reads,
        stats.writes,
        stats.read_sectors * SECTOR_BYTES,
        stats.written_sectors * SECTOR_BYTES,
        stats.read_milliseconds / 1000,
        stats.write_milliseconds / 1000,
        stats.in_flight,
        stats.busy_milliseconds / 1000,
        stats.weighted_milliseconds / 1000,
        stats.reads_merged,
        stats.writes_merged,
        stats.discards,
        None if discarded is None else discarded * SECTOR_BYTES,
        None if discard_ms is None else discard_ms / 1000,
        stats.flushes,
        None if flush_ms is None else flush_ms / 1000,
    )


def _devices(disks: Iterable[Disk]) -> list[Device]:
    """By what the disk says of itself, since sda may be sdb after the next boot. Two paths to one disk say the
    same, and differ by their names."""
    devices: dict[str, Device] = {}
    for disk in disks:
        identity = f"disk:{_identity(disk)}"
        if identity in devices:
            identity = f"{identity}:{disk.name}"
        devices[identity] = Device(
            id=identity,
            kind="disk",
            name=disk.name,
            facts=_facts(disk),
            info=DISK_INFO,
            parent=disk.pci_address,
        )
    return list(devices.values())


def _identity(disk: Disk) -> str:
    if disk.wwid:
        return "-".join(disk.wwid.split())
    if disk.serial:
        return "-".join((disk.model + " " + disk.serial).split())
    return disk.pci_address or disk.name


def _facts(disk: Disk) -> dict[str, str]:
    return {
        "device": disk.name,
        "model": disk.model,
        "vendor": disk.vendor,
        "serial": disk.serial,
        "wwid": disk.wwid,
        "firmware": disk.firmware,
        "transport": disk.transport,
        "rotational": _flag(disk.is_rotational),
        "removable": _flag(disk.is_removable),
        "size_bytes": "" if disk.size_bytes is None else str(disk.size_bytes),
        "pci": disk.pci_address,
        "numa_node": "" if disk.numa_node is None else str(disk.numa_node),
    }


def _flag(value: bool | None) -> str:
    return "" if value is None else str(int(value))
