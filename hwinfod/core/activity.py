# SPDX-License-Identifier: MIT
"""Which devices were at work, and when: said by whoever sees them work, asked by whoever judges them.

A link that is slow while its device idles saves power; while it works it is broken. The collector of links does not
know what a GPU does, and the collector of GPUs does not know what links can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwinfod.core.clock import Clock


class Activity:
    """Any thread notes, any thread asks. Holds one time a device that ever worked: PCI addresses, not processes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._worked: dict[str, float] = {}

    def note(self, pci_address: str) -> None:
        """The device at this PCI address (0000:4b:00.0) works now."""
        self._worked[pci_address] = self._clock.monotonic()

    def idle_seconds(self, pci_address: str) -> float | None:
        """How long ago a device was last seen at work; None for one that never was."""
        worked = self._worked.get(pci_address)
        return None if worked is None else self._clock.monotonic() - worked
