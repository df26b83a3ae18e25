# SPDX-License-Identifier: MIT
"""The latest pass over the clients of DRM devices, made in steps, for every collector that has such devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._drm_scan import ClientScanner
from hwinfod.collectors._drm_shares import DeviceUse, Shares

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.collectors._drm_scan import Pass
    from hwinfod.core.collector import Collector

# The first pass looks at every descriptor of the host, and everyone waits for it; the later ones at little.
_FIRST_STEP_CPU_SECONDS = 0.02
_STEP_CPU_SECONDS = 0.005


class Clients:
    """`latest` is the last complete pass, None before the first; `uses` what it found, by PCI address."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._scanner = ClientScanner(collector.roots, collector.host.clock)
        self._shares = Shares()
        self.latest: Pass | None = None
        self.uses: Mapping[str, DeviceUse] = {}

    def begin(self) -> None:
        self._scanner.begin()

    def work(self) -> None:
        """Goes on with the pass, for a bounded time."""
        self._collector.step("look for clients")
        found = self._scanner.work(_FIRST_STEP_CPU_SECONDS if self.latest is None else _STEP_CPU_SECONDS)
        if found is not None:
            self.latest, self.uses = found, self._shares.update(found)
        if self.latest is not None and self.latest.blind:
            count = self.latest.blind
            self._collector.skip("processes", f"attribution blind: {count} processes may not be looked into")
