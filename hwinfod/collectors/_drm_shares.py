# SPDX-License-Identifier: MIT
"""From passes over DRM clients to shares of engines' time and memory, by device and process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwinfod.core.holding import Holding

if TYPE_CHECKING:
    from hwinfod.collectors._drm_scan import ClientKey, Pass, Seen
    from hwinfod.sources.drm_fdinfo import Client

_DIGITS = 4
ProcessKey = tuple[int, int]


@dataclass(slots=True)
class DeviceUse:
    """What all clients of one device together use of it. `engines` are shares of the time; empty at first sight."""

    engines: dict[str, float] = field(default_factory=dict)
    processes: dict[ProcessKey, ProcessUse] = field(default_factory=dict)


@dataclass(slots=True)
class ProcessUse:
    """What one process's clients use of a device."""

    dedicated_bytes: int = 0
    all_bytes: int = 0
    regions: dict[str, int] = field(default_factory=dict)
    engines: dict[str, float] = field(default_factory=dict)

    def amounts(self, *, unified: bool) -> dict[str, float]:
        """As a holding has them. A process's part of the GPU's time is that of the engine that it keeps busiest."""
        amounts: dict[str, float] = {"memory_bytes": self.all_bytes if unified else self.dedicated_bytes}
        amounts.update((f"{_word(region)}_memory_bytes", size) for region, size in self.regions.items() if size)
        if self.engines:
            amounts["utilization_ratio"] = round(min(max(self.engines.values()), 1.0), _DIGITS)
            amounts.update((f"{_word(name)}_engine_ratio", round(v, _DIGITS)) for name, v in self.engines.items())
        return amounts


class Shares:
    """Compares each pass with the one before it."""

    def __init__(self) -> None:
        self._before: dict[ClientKey, Seen] = {}

    def update(self, found: Pass) -> dict[str, DeviceUse]:
        """By PCI address."""
        uses: dict[str, DeviceUse] = {}
        kept: dict[ClientKey, Seen] = {}
        for key, seen in found.clients.items():
            device = uses.setdefault(seen.client.pci_address, DeviceUse())
            process = device.processes.setdefault((seen.pid, seen.start_time_ticks), ProcessUse())
            process.dedicated_bytes += seen.client.used_bytes(unified=False)
            process.all_bytes += seen.client.used_bytes(unified=True)
            for region, size in seen.client.regions.items():
                process.regions[region] = process.regions.get(region, 0) + size
            before = self._before.get(key)
            if before is not None:
                _stay_with_the_larger(before.client, seen.client)
                for engine, share in _engine_shares(before, seen).items():
                    process.engines[engine] = process.engines.get(engine, 0.0) + share
                    device.engines[engine] = device.engines.get(engine, 0.0) + share
            kept[key] = seen
        self._before = kept
        for device in uses.values():
            device.engines = {name: round(min(share, 1.0), _DIGITS) for name, share in device.engines.items()}
        return uses


def holdings(use: DeviceUse, *, unified: bool) -> tuple[Holding, ...]:
    """Of one device."""
    return tuple(
        Holding(pid, start, process.amounts(unified=unified)) for (pid, start), process in use.processes.items()
    )


def _stay_with_the_larger(old: Client, new: Client) -> None:
    """A value may fall behind for a while, and then counts as the larger one before it: drm-usage-stats.rst."""
    for before, now in ((old.engine_nanoseconds, new.engine_nanoseconds), (old.cycles, new.cycles)):
        now.update((engine, max(value, before.get(engine, 0))) for engine, value in now.items())


def _engine_shares(before: Seen, now: Seen) -> dict[str, float]:
    """Of one client since the last pass. An engine that stands for several is busy when all of them are."""
    shares = {}
    old, new = before.client, now.client
    elapsed = (now.read_at - before.read_at) * 1e9
    for engine, value in new.engine_nanoseconds.items():
        if elapsed > 0 and engine in old.engine_nanoseconds:
            grown = value - old.engine_nanoseconds[engine]
            shares[engine] = min(grown / elapsed / max(1, new.capacities.get(engine, 1)), 1.0)
    for engine, cycles in new.cycles.items():
        total = new.total_cycles.get(engine, 0) - old.total_cycles.get(engine, 0)
        if engine in old.cycles and engine in old.total_cycles and total > 0:
            grown = cycles - old.cycles[engine]
            shares[engine] = min(grown / total / max(1, new.capacities.get(engine, 1)), 1.0)
    return shares


def _word(engine: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in engine)
