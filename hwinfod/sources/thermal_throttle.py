# SPDX-License-Identifier: MIT
"""How often and how long processors were slowed because they were too hot (Intel only).

Source: arch/x86's drivers/thermal/intel/therm_throt.c, attribute group "thermal_throttle".
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.sources.files import read_int

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.core.host import RootPaths
    from hwinfod.sources.cpu_topology import Cpu


@dataclass(frozen=True, slots=True)
class Throttling:
    """Since boot; None where this kernel has no such file (the times came with Linux 5.6)."""

    events: int | None = None
    milliseconds: int | None = None


@dataclass(frozen=True, slots=True)
class SocketThrottling:
    """`cores` is the sum over the cores of a socket, `package` the socket as a whole."""

    cores: Throttling
    package: Throttling


def has_thermal_throttle(roots: RootPaths, cpu: int) -> bool:
    return os.path.isdir(_directory(roots, cpu))


def read_throttling(roots: RootPaths, cpus: Iterable[Cpu]) -> dict[int, SocketThrottling]:
    """By socket, over the processors given (those online).

    Every thread of a core counts the interrupt of its core, and every thread of a socket that of the
    socket: the largest of them is the count, not their sum.
    """
    cores: dict[int, dict[str, list[Throttling]]] = {}
    packages: dict[int, list[Throttling]] = {}
    for cpu in cpus:
        directory = _directory(roots, cpu.number)
        socket = cpu.socket or 0
        cores.setdefault(socket, {}).setdefault(cpu.core, []).append(_read(directory, "core"))
        packages.setdefault(socket, []).append(_read(directory, "package"))
    return {
        socket: SocketThrottling(_sum([_largest(core) for core in cores[socket].values()]), _largest(package))
        for socket, package in packages.items()
    }


def _directory(roots: RootPaths, cpu: int) -> str:
    return roots.sys("devices/system/cpu", f"cpu{cpu}", "thermal_throttle")


def _read(directory: str, what: str) -> Throttling:
    return Throttling(
        read_int(os.path.join(directory, f"{what}_throttle_count")),
        read_int(os.path.join(directory, f"{what}_throttle_total_time_ms")),
    )


def _largest(readings: list[Throttling]) -> Throttling:
    events = [r.events for r in readings if r.events is not None]
    milliseconds = [r.milliseconds for r in readings if r.milliseconds is not None]
    return Throttling(max(events, default=None), max(milliseconds, default=None))


def _sum(readings: list[Throttling]) -> Throttling:
    events = [r.events for r in readings if r.events is not None]
    milliseconds = [r.milliseconds for r in readings if r.milliseconds is not None]
    return Throttling(sum(events) if events else None, sum(milliseconds) if milliseconds else None)
