# SPDX-License-Identifier: MIT
"""The settings of the daemon itself. A collector declares its own, beside its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwinfod.settings.form import Boolean, Choice, ListOf, OrNone
from hwinfod.settings.place import Address, FilePath, ListenAddress
from hwinfod.settings.quantity import Duration, Seconds, Size
from hwinfod.settings.setting import Setting


def _runtime_directory(environ: Mapping[str, str], uid: int) -> str:
    """systemd.exec(5) RuntimeDirectory=, then root's place, then the XDG base directory specification."""
    given = _first(environ.get("RUNTIME_DIRECTORY", ""))
    if given or uid == 0:
        return given or "/run/hwinfod"
    session = _absolute(environ.get("XDG_RUNTIME_DIR", ""))
    return f"{session}/hwinfod" if session else f"/tmp/hwinfod-{uid}"  # noqa: S108 - made safely by who binds


def _state_directory(environ: Mapping[str, str], uid: int) -> str:
    given = _first(environ.get("STATE_DIRECTORY", ""))
    if given or uid == 0:
        return given or "/var/lib/hwinfod"
    state = _absolute(environ.get("XDG_STATE_HOME", ""))
    home = _absolute(environ.get("HOME", ""))
    if state or home:
        return f"{state or home + '/.local/state'}/hwinfod"
    return f"{_runtime_directory(environ, uid)}/state"


def _first(directories: str) -> str:
    """systemd passes several directories as a list with colons; the first is ours."""
    return _absolute(directories.partition(":")[0])


def _absolute(path: str) -> str:
    """The specification says that a relative path is to be ignored."""
    return path.rstrip("/") if path.startswith("/") else ""


LOG_LEVELS = ("debug", "info", "warning", "error")
LEVELS = ("core", "standard", "detailed")
PRIVACIES = ("open", "own", "group")

SOCKET = Setting(
    "socket",
    FilePath(longest=107),  # sun_path is 108 bytes with its null: unix(7)
    "/run/hwinfod/hwinfod.sock",
    "Unix socket of the JSON API. Not as root: $XDG_RUNTIME_DIR/hwinfod/hwinfod.sock.",
    default_for=lambda environ, uid: _runtime_directory(environ, uid) + "/hwinfod.sock",
)
STATE_DIR = Setting(
    "state_dir",
    FilePath(),
    "/var/lib/hwinfod",
    "Where to keep what must outlive a restart. Not as root: $XDG_STATE_HOME/hwinfod.",
    default_for=_state_directory,
    metavar="DIR",
)
LOG_LEVEL = Setting(
    "log_level", Choice(*LOG_LEVELS), "info", "The least severity that is logged.", metavar="LEVEL", reload=True
)
SAMPLING_PHASE = Setting(
    "sampling.phase_seconds",
    Seconds(0, 0.999),
    0.0,
    "How long after the full second samples are taken. Equal on the nodes of a parallel job, they pause together.",
)
RING_BYTES = Setting(
    "ring.bytes", Size(1 << 20, 1 << 34), 16 << 20, "Memory for recent samples. The oldest are dropped first."
)
RING_DURATION = Setting(
    "ring.duration", Duration(60, 7 * 86400), 3600.0, "How long recent samples are kept, where the memory suffices."
)
PRIVACY = Setting(
    "api.privacy",
    Choice(*PRIVACIES),
    "own",
    "What others than root and the group hwinfod see on the socket: everything (open), the devices and their own "
    "work (own), or nothing (group).",
    metavar="WHO",
    reload=True,
)
EXPORT_LEVEL = Setting(
    "export.level",
    Choice(*LEVELS),
    "standard",
    "How much /metrics exports. Everything is recorded and in the API.",
    metavar="LEVEL",
    reload=True,
)
WEB_LISTEN_ADDRESS = Setting[tuple[Address, ...]](
    "web.listen_address",
    ListOf(ListenAddress()),
    (),
    "Serve metrics to Prometheus here, such as on 127.0.0.1:10049 or :10049. Without it there is no TCP port.",
)
WEB_CONFIG_FILE = Setting[str | None](
    "web.config_file",
    OrNone(FilePath()),
    None,
    "TLS and basic auth of the TCP port, in the format of the Prometheus exporters.",
    flag="--web.config.file",
    metavar="FILE",
)
TEXTFILE_DIRECTORY = Setting[str | None](
    "textfile.directory",
    OrNone(FilePath()),
    None,
    "Write hwinfod.prom here for node_exporter. The directory must exist.",
    metavar="DIR",
    reload=True,
)
TEXTFILE_LEVEL = Setting(
    "textfile.level", Choice(*LEVELS), "standard", "How much the textfile exports.", metavar="LEVEL", reload=True
)
TEXTFILE_INTERVAL = Setting(
    "textfile.interval_seconds", Seconds(1, 3600), 15.0, "Time between two writings of the textfile.", reload=True
)
TEXTFILE_DUPLICATES = Setting(
    "textfile.duplicates",
    Boolean(),
    False,
    "Write the families that node_exporter has under its own names, too.",
    reload=True,
)
PROCFS = Setting("path.procfs", FilePath(), "/proc", "Where procfs is mounted.", metavar="DIR")
SYSFS = Setting("path.sysfs", FilePath(), "/sys", "Where sysfs is mounted.", metavar="DIR")
ROOTFS = Setting("path.rootfs", FilePath(), "/", "Where the root of the host is mounted.", metavar="DIR")

# In the order of help and example file.
SETTINGS: tuple[Setting[Any], ...] = (
    SOCKET, STATE_DIR, LOG_LEVEL,
    PRIVACY, EXPORT_LEVEL,
    WEB_LISTEN_ADDRESS, WEB_CONFIG_FILE,
    TEXTFILE_DIRECTORY, TEXTFILE_LEVEL, TEXTFILE_INTERVAL, TEXTFILE_DUPLICATES,
    RING_BYTES, RING_DURATION, SAMPLING_PHASE,
    PROCFS, SYSFS, ROOTFS,
)  # fmt: skip

TITLES = {
    "": "Daemon",
    "api": "API on the Unix socket",
    "export": "What is exported",
    "web": "Metrics over TCP",
    "textfile": "Metrics through node_exporter",
    "ring": "Recent samples in memory",
    "sampling": "Sampling",
    "path": "Where the host is",
    "nvidia": "NVIDIA GPUs",
}
