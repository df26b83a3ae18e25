# SPDX-License-Identifier: MIT
"""How much a PCI device has moved, as the subsystems that drive it count it: for telling work from idleness.

Source: Documentation/ABI/testing/sysfs-class-net-statistics, Documentation/block/stat.rst,
Documentation/ABI/stable/sysfs-class-infiniband. A counter of an RDMA port may ask the firmware: not for every tick.
"""

from __future__ import annotations

import glob

from hwinfod.errors import ParseError
from hwinfod.sources.diskstats import SECTOR_BYTES
from hwinfod.sources.files import read_int, read_optional

_RDMA_WORD_BYTES = 4  # port_rcv_data counts in units of four
_READ_SECTORS, _WRITTEN_SECTORS = 2, 6


def read_traffic(directory: str) -> int | None:
    """Bytes moved by the network interfaces, RDMA ports and disks of the function in a directory, since some time in
    the past; None for a function that has none of these."""
    base = glob.escape(directory)
    counters = [
        *_read_ints(f"{base}/net/*/statistics/[rt]x_bytes", 1),
        *_read_ints(f"{base}/infiniband/*/ports/*/counters/port_*_data", _RDMA_WORD_BYTES),
        *_read_disks(f"{base}/nvme/nvme*/nvme*n*/stat"),
    ]
    return sum(counters) if counters else None


def parse_disk_traffic(data: bytes) -> int:
    """Bytes read and written, from a disk's `stat`. Raises ParseError."""
    words = data.split()
    try:
        return SECTOR_BYTES * (int(words[_READ_SECTORS]) + int(words[_WRITTEN_SECTORS]))
    except (IndexError, ValueError):
        raise ParseError(f"statistics of a disk: {data[:60]!r}") from None


def _read_ints(pattern: str, factor: int) -> list[int]:
    numbers = (read_int(path) for path in glob.glob(pattern))
    return [number * factor for number in numbers if number is not None]


def _read_disks(pattern: str) -> list[int]:
    traffic = []
    for path in glob.glob(pattern):
        try:
            traffic.append(parse_disk_traffic(read_optional(path) or b""))
        except ParseError:
            continue  # a disk that has just left
    return traffic
