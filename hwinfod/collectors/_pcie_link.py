# SPDX-License-Identifier: MIT
"""Is a link degraded? Idle devices lower speed and width to save power: only a device at work tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.sources.pci_link import Link, find_ends, is_below, narrowest, read_limit, read_link
from hwinfod.sources.pci_traffic import read_traffic

if TYPE_CHECKING:
    from hwinfod.core.host import Host
    from hwinfod.sources.pci import PciDevice

# A device at work is looked at so often before its link is called degraded: links train anew under load, too.
_LOOKS = 3
# What keep-alive messages and a log file move is no work.
_BUSY_BYTES_PER_SECOND = 1 << 20


class LinkWatch:
    """The link by which one device hangs on the host."""

    def __init__(self, host: Host, device: PciDevice) -> None:
        self._host = host
        self._device = device
        self._ends = find_ends(device.directory)
        self._limit: Link | None = None
        self._looks = 0
        self._traffic: tuple[int, float] | None = None
        self._looked = host.clock.monotonic()
        self.link = Link(None, None)
        self.is_degraded = False

    @property
    def limit(self) -> Link:
        """What both ends can; unknown before the first look."""
        return self._limit or Link(None, None)

    def look(self) -> bool | None:
        """Reads the link; whether it is degraded. Once it was seen so it stays so until it is seen whole. None where
        that cannot be known: no link, or one that does not tell."""
        if self._ends is None:
            return None
        if self._limit is None:
            self._limit = narrowest(read_limit(self._ends.near), read_limit(self._ends.far))
        self.link = read_link(self._ends.near)
        below = is_below(self.link, self._limit)
        if below is None:
            return None
        if not below:
            self._looks, self.is_degraded, self._traffic = 0, False, None
        elif self._is_busy():
            self._looks += 1
            self.is_degraded = self._looks >= _LOOKS
        self._looked = self._host.clock.monotonic()
        return self.is_degraded

    def _is_busy(self) -> bool:
        """Whether the device worked since the last look: by what it moved, or by what others saw of it."""
        now = self._host.clock.monotonic()
        idle = self._host.activity.idle_seconds(self._device.address)
        if idle is not None and idle <= now - self._looked:
            return True
        moved = read_traffic(self._device.directory)
        if moved is None:
            return False
        before, self._traffic = self._traffic, (moved, now)
        return before is not None and moved - before[0] >= _BUSY_BYTES_PER_SECOND * (now - before[1])
