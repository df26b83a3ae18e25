# SPDX-License-Identifier: MIT
"""PCI Express errors that a device reported since boot, as the kernel counted them.

Source: Documentation/ABI/testing/sysfs-bus-pci-devices-aer, drivers/pci/pcie/aer.c aer_dev_*_show(). The counts are
the kernel's memory: reading them asks no device.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from hwinfod.errors import ParseError, ReadError
from hwinfod.sources.files import read_file

# By what they did: the link mended itself; a transaction was lost; the device or its link cannot be trusted.
SEVERITIES = ("correctable", "nonfatal", "fatal")


@dataclass(frozen=True, slots=True)
class AerErrors:
    """Errors of one severity. `by_name` has those that ever happened, under the kernel's short names (RxErr, BadTLP,
    CmpltTO...); `total` is the kernel's own sum of messages, in which one may have named several errors."""

    total: int
    by_name: dict[str, int]


def parse_aer(data: bytes) -> AerErrors:
    """One of the files aer_dev_*. Raises ParseError."""
    counts: dict[bytes, int] = {}
    for line in data.splitlines():
        name, _, number = line.rpartition(b" ")
        try:
            counts[name] = int(number)
        except ValueError:
            raise ParseError(f"PCIe errors: {line[:60]!r}") from None
    totals = [name for name in counts if name.startswith(b"TOTAL_ERR_")]
    if len(totals) != 1:
        raise ParseError(f"PCIe errors: no total: {data[:60]!r}")
    total = counts.pop(totals[0])
    return AerErrors(total, {name.decode("ascii", "replace"): count for name, count in counts.items() if count})


def read_aer(directory: str) -> list[AerErrors] | None:
    """The errors of the device in a directory, one a severity, in the order of SEVERITIES. None where it has no such
    counters: no AER capability, or the firmware keeps it. Raises ParseError."""
    try:
        return [parse_aer(read_file(os.path.join(directory, f"aer_dev_{severity}"))) for severity in SEVERITIES]
    except ReadError:
        return None
