# SPDX-License-Identifier: MIT
"""Where a PCI function is, as the inventory says it."""

from __future__ import annotations

from hwinfod.core.device import Status
from hwinfod.sources.pci import is_stand_in, read_is_suspended


def read_status(directory: str, driver: str) -> Status:
    """Of the function in a directory, by the driver that has it. One that was given to a virtual machine is passed
    through, asleep or not."""
    if is_stand_in(driver):
        return Status.PASSED_THROUGH
    return Status.SUSPENDED if read_is_suspended(directory) else Status.PRESENT
