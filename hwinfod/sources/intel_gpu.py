# SPDX-License-Identifier: MIT
"""Intel GPUs: the graphics engines (GT) of i915 and xe, their clocks, sleep and throttling, and the card's memory.

Source: Documentation/ABI/testing/sysfs-driver-intel-i915, sysfs-driver-intel-xe, drivers/gpu/drm/i915/gt/
intel_gt_sysfs_pm.c, drivers/gpu/drm/xe/xe_gt_freq.c, xe_gt_idle.c, xe_gt_throttle.c, xe_tile_sysfs.c.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from hwinfod.sources.files import Attribute, list_directory, read_int

DRIVERS = frozenset({"i915", "xe"})

_CARD = re.compile(r"card\d{1,4}\Z", re.ASCII)
_GT = re.compile(r"gt(\d{1,2})\Z", re.ASCII)
_TILE = re.compile(r"tile\d{1,2}\Z", re.ASCII)
_MEGAHERTZ = 1_000_000
_MILLISECONDS = 1000

# What the kernel calls a reason to what every vendor's is called here.
_REASONS = {
    "pl1": "power", "pl2": "power", "pl4": "power", "thermal": "thermal", "prochot": "prochot", "ratl": "thermal",
    "vr_thermalert": "vr_thermal", "vr_tdc": "current",
}  # fmt: skip


class GtValues(NamedTuple):
    """Clock in hertz, 0 while it sleeps; time asleep in seconds; reasons for which the clock is held down."""

    clock_hertz: int | None
    asleep_seconds: float | None
    throttled: dict[str, bool]


class Gt:
    """One of a card's graphics or media parts, read again and again. `limit_hertz` is the highest clock."""

    def __init__(self, name: str, clock: str, limit: str, asleep: str, reasons: dict[str, str]) -> None:
        self.name = name
        megahertz = read_int(limit)
        self.limit_hertz = None if megahertz is None else megahertz * _MEGAHERTZ
        self._clock = Attribute(clock)
        self._asleep = Attribute(asleep)
        self._reasons = [(_REASONS[reason], Attribute(path)) for reason, path in reasons.items()]

    def read(self) -> GtValues:
        """What cannot be read is None, or missing."""
        clock, asleep = self._clock.read_int(), self._asleep.read_int()
        throttled: dict[str, bool] = {}
        for reason, file in self._reasons:
            holds = file.read_int()
            if holds is not None:
                throttled[reason] = throttled.get(reason, False) or holds > 0
        return GtValues(
            None if clock is None else clock * _MEGAHERTZ, None if asleep is None else asleep / _MILLISECONDS, throttled
        )


def find_gts(directory: str) -> list[Gt]:
    """Of the card at a PCI function, in order."""
    drm = os.path.join(directory, "drm")
    i915 = [(_i915, os.path.join(drm, card, "gt")) for card in filter(_CARD.match, list_directory(drm))]
    xe = [(_xe, os.path.join(directory, tile)) for tile in filter(_TILE.match, list_directory(directory))]
    gts = [
        make(name, os.path.join(parent, name))
        for make, parent in (*i915, *xe)
        for name in filter(_GT.match, list_directory(parent))
    ]
    return sorted(gts, key=lambda gt: int(gt.name[2:]))


def read_memory_bytes(directory: str) -> int | None:
    """The card's own memory, all tiles together; None for a GPU that has none, and for the kernel's i915, which does
    not say: Intel's own build of it does."""
    drm = os.path.join(directory, "drm")
    places = [f"{directory}/{tile}/physical_vram_size_bytes" for tile in filter(_TILE.match, list_directory(directory))]
    places += [f"{drm}/{card}/lmem_total_bytes" for card in filter(_CARD.match, list_directory(drm))]
    return sum(filter(None, map(read_int, places))) or None


def _i915(name: str, path: str) -> Gt:
    reasons = _present(path, "throttle_reason_")
    return Gt(name, f"{path}/rps_act_freq_mhz", f"{path}/rps_RP0_freq_mhz", f"{path}/rc6_residency_ms", reasons)


def _xe(name: str, path: str) -> Gt:
    reasons = _present(f"{path}/freq0/throttle", "reason_")
    return Gt(name, f"{path}/freq0/act_freq", f"{path}/freq0/rp0_freq", f"{path}/gtidle/idle_residency_ms", reasons)


def _present(directory: str, prefix: str) -> dict[str, str]:
    names = set(list_directory(directory))
    return {reason: f"{directory}/{prefix}{reason}" for reason in _REASONS if f"{prefix}{reason}" in names}
