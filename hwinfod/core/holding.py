# SPDX-License-Identifier: MIT
"""Holdings: which process has which part of a device. Device collectors publish them, `owners/` gives them names."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Holding:
    """A process's part of a device. `start_time_ticks` (/proc/PID/stat field 22) tells a reused pid from the one
    that was meant; 0 where it could not be read. `amounts` by name with the unit in it: "memory_bytes", "qps".
    `kernel` names the kernel user that holds it, where there is no process (pid 0). `peers` are the far ends of
    its connections, as address:port, where the device has such. `role` is what the process does with it, where there
    are several things to do: "compute", "graphics", "mps client", "mps server"."""

    pid: int
    start_time_ticks: int
    amounts: Mapping[str, float]
    kernel: str = ""
    peers: tuple[str, ...] = ()
    role: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """All holdings of one device, read in one pass with the device's own totals: attribution compares the two and
    calls the rest unattributed. `boottime_ns` is when the pass began."""

    device: str
    boottime_ns: int
    totals: Mapping[str, float] = field(default_factory=dict)
    holdings: tuple[Holding, ...] = ()


class Holdings:
    """The latest batch of every device: lanes publish, owners and faces read `current`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.current: Mapping[str, Batch] = MappingProxyType({})

    def publish(self, batch: Batch) -> None:
        with self._lock:
            self.current = MappingProxyType({**self.current, batch.device: batch})

    def withdraw(self, device: str) -> None:
        """The device is gone or is not read any more."""
        with self._lock:
            self.current = MappingProxyType({k: v for k, v in self.current.items() if k != device})


@dataclass(frozen=True, slots=True)
class NodeUser:
    """A process that has device nodes open, as its own mount namespace names them: /dev/nvidia0."""

    pid: int
    start_time_ticks: int
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeUse:
    """All processes with device nodes, of one pass that began at `boottime_ns` (0: there was none). `hidden` counts
    the processes that may not be looked into."""

    boottime_ns: int = 0
    users: tuple[NodeUser, ...] = ()
    hidden: int = 0
