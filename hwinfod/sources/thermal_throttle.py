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

    Every thread of a core counts the interrupts of its core, and every thread of a socket those of the socket:
    one thread of each is asked, since their sum would count each as often as there are threads.
    """
    cores: dict[int, dict[str, Throttling]] = {}
    packages: dict[int, Throttling] = {}
    for cpu in cpus:
        socket = cpu.socket or 0
        of_socket = cores.setdefault(socket, {})
        if cpu.core not in of_socket:
            of_socket[cpu.core] = _read(_directory(roots, cpu.number), "core")
        if socket not in packages:
            packages[socket] = _read(_directory(roots, cpu.number), "package")
    return {socket: SocketThrottling(_sum(cores[socket].values()), package) for socket, package in packages.items()}


def _directory(roots: RootPaths, cpu: int) -> str:
    return roots.sys("devices/system/cpu", f"cpu{cpu}", "thermal_throttle")


def _read(directory: str, what: str) -> Throttling:
    return Throttling(
        read_int(os.path.join(directory, f"{what}_throttle_count")),
        read_int(os.path.join(directory, f"{what}_throttle_total_time_ms")),
    )


def _sum(readings: Iterable[Throttling]) -> Throttling:
    present = list(readings)
    events = [r.events for r in present if r.events is not None]
    milliseconds = [r.milliseconds for r in present if r.milliseconds is not None]
    return Throttling(sum(events) if events else None, sum(milliseconds) if milliseconds else None)
