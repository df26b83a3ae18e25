# SPDX-License-Identifier: MIT
"""File systems: space, inodes, and mounts that do not answer. On a lane of its own, since any of them may hang."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hwinfod.collectors._interval import DIGITS
from hwinfod.core.check import Check
from hwinfod.core.collector import Collector, beat
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.table import Groups
from hwinfod.errors import Absent, Denied, Gone, HwinfodError
from hwinfod.settings import ListOf, Seconds, Setting, Text
from hwinfod.sources.files import SeqFile, clean_text
from hwinfod.sources.mountinfo import choose_mounts, parse_mountinfo
from hwinfod.sources.statvfs import Hung, StatvfsProbe

if TYPE_CHECKING:
    from hwinfod.core.codec import Value
    from hwinfod.sources.mountinfo import Mount
    from hwinfod.sources.statvfs import Usage

_STATVFS = "statvfs(3)"
_LABELS = ("device", "fstype", "mountpoint")


def _gauge(name: str, unit: str, help_: str, source: str = _STATVFS, level: Level = Level.STANDARD) -> Metric:
    return Metric(name=name, kind=Kind.GAUGE, unit=unit, help=help_, source=source, labels=_LABELS, level=level)


LIMIT = _gauge("hw_filesystem_limit_bytes", "bytes", "Size of the file system.")
USAGE = _gauge("hw_filesystem_usage_bytes", "bytes", "Space in use.", level=Level.DETAILED)
AVAILABLE = _gauge("hw_filesystem_available_bytes", "bytes", "Space that an ordinary user may still write.")
UTILIZATION = _gauge(
    "hw_filesystem_utilization_ratio",
    "ratio",
    "Part in use of the space that an ordinary user may write, as df has it.",
)
INODES_LIMIT = _gauge("hw_filesystem_inodes_limit", "", "Inodes of the file system.", level=Level.DETAILED)
INODES_USAGE = _gauge("hw_filesystem_inodes_usage", "", "Inodes in use.", level=Level.DETAILED)
INODES_UTILIZATION = _gauge(
    "hw_filesystem_inodes_utilization_ratio", "ratio", "Part of the inodes in use.", level=Level.DETAILED
)
READ_ONLY = _gauge(
    "hw_filesystem_read_only",
    "",
    "Whether it is read-only (1), which the kernel makes of one that is damaged.",
    "/proc/1/mountinfo",
)
HUNG = _gauge("hw_filesystem_hung", "", "Whether a call has not been answered (1); its other values are then withheld.")
_METRICS = (
    LIMIT, USAGE, AVAILABLE, UTILIZATION, INODES_LIMIT, INODES_USAGE, INODES_UTILIZATION, READ_ONLY, HUNG,
)  # fmt: skip
_MOST_MOUNTS = 256
_NO_USAGE: tuple[Value, ...] = (None,) * 7

EXCLUDED_TYPES: Setting[tuple[str, ...]] = Setting(
    "collector.filesystems.excluded_types",
    ListOf(Text()),
    (
        # Asking autofs mounts what it stands for; the others hold no data of their own.
        "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
        "erofs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fusectl", "hugetlbfs", "iso9660", "mqueue", "nsfs",
        "overlay", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs", "tmpfs",
        "tracefs",
    ),
    "Types of file systems that are left out.",
    reload=True,
)  # fmt: skip
EXCLUDED_PATHS: Setting[tuple[str, ...]] = Setting(
    "collector.filesystems.excluded_paths",
    ListOf(Text()),
    (
        "/dev",
        "/proc",
        "/run",
        "/sys",
        "/var/lib/containerd",
        "/var/lib/containers",
        "/var/lib/docker",
        "/var/lib/kubelet",
    ),
    "Directories below which mounts are left out, they themselves included.",
    reload=True,
)
TIMEOUT = Setting(
    "collector.filesystems.timeout_seconds",
    Seconds(0.1, 60),
    2.0,
    "How long a file system may take to answer before it counts as hung.",
    reload=True,
)

FULL = Check(
    name="filesystem_full",
    metric=UTILIZATION,
    wrong=lambda ratio: ratio > 0.9,
    severity=Severity.WARNING,
    text="{mountpoint} is {value:.0%} full",
    remedy="hwinfoctl show filesystems",
)
NO_ANSWER = Check(
    name="filesystem_hung",
    metric=HUNG,
    wrong=lambda hung: hung == 1,
    severity=Severity.CRITICAL,
    text="{mountpoint} ({fstype}, {device}) does not answer",
    remedy="dmesg, and the server behind it",
)


class Filesystems(Collector):
    name = "filesystems"
    summary = "space and inodes of file systems, and mounts that hang"
    lane = "filesystems"
    in_node_exporter = True
    beyond_node_exporter = frozenset({HUNG})
    settings = (EXCLUDED_TYPES, EXCLUDED_PATHS, TIMEOUT)

    def open(self) -> None:
        self.mountinfo = self._mountinfo()
        settings = self.context.settings
        self.types = settings[EXCLUDED_TYPES]
        self.paths = settings[EXCLUDED_PATHS]
        self.probe = StatvfsProbe(settings[TIMEOUT])
        self.groups = Groups(self.table, lambda key: [(metric, tuple(key.split("\0"))) for metric in _METRICS])
        self.hung: dict[bytes, str] = {}

    def _mountinfo(self) -> SeqFile:
        """As the host's first process sees the mounts: a hardened service (ProtectSystem=strict) sees all of them
        read-only. As we do ourselves where that is hidden from us."""
        for process in ("1", "self"):
            mountinfo = SeqFile(self.roots.proc(process, "mountinfo"))
            try:
                mountinfo.read()
            except (Gone, Denied) as error:
                reason = str(error)
                mountinfo.close()
            else:
                return mountinfo
        raise Absent(reason)

    def close(self) -> None:
        self.probe.close()

    @beat(seconds=10)
    def sample(self) -> None:
        mounts = choose_mounts(parse_mountinfo(self.mountinfo.read()), self.types, self.paths)
        if len(mounts) > _MOST_MOUNTS:
            self.skip("file systems", f"{len(mounts) - _MOST_MOUNTS} more than {_MOST_MOUNTS} are mounted")
        hung = {}
        for mount in mounts[:_MOST_MOUNTS]:
            name = clean_text(mount.mount_point)
            try:
                usage = self.probe.read(self._path(mount), is_remote=mount.is_remote)
            except Hung:
                hung[mount.mount_point] = name
                values = _NO_USAGE
            except HwinfodError as error:
                self.skip(name, error)
                continue
            else:
                values = _usage_row(usage)
            key = "\0".join((clean_text(mount.source), mount.fstype, name))
            self.groups.set(key, (*values, int(mount.is_read_only), int(mount.mount_point in hung)))
        self.groups.sweep()
        self._tell(hung, {mount.mount_point for mount in mounts})

    def _path(self, mount: Mount) -> bytes:
        return os.fsencode(self.roots.root(os.fsdecode(mount.mount_point)))

    def _tell(self, hung: dict[bytes, str], mounted: set[bytes]) -> None:
        before, self.hung = self.hung, hung
        events = self.host.events
        for point, name in hung.items():
            if point not in before:
                events.add(EventKind.FILESYSTEM_HUNG, Severity.CRITICAL, f"{name} does not answer", key=name)
        for point, name in before.items():
            if point not in hung and point in mounted:
                events.add(EventKind.FILESYSTEM_RECOVERED, Severity.INFO, f"{name} answers again", key=name)


def _usage_row(usage: Usage) -> tuple[Value, ...]:
    used = usage.limit_bytes - usage.free_bytes
    inodes_used = usage.inodes - usage.inodes_free
    # btrfs and most network file systems make inodes as they need them and say 0: no limit is not a limit of 0.
    has_inodes = usage.inodes > 0
    return (
        usage.limit_bytes,
        used,
        usage.available_bytes,
        _ratio(used, used + usage.available_bytes),
        usage.inodes if has_inodes else None,
        inodes_used if has_inodes else None,
        _ratio(inodes_used, usage.inodes),
    )


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, DIGITS) if whole > 0 else None
