# SPDX-License-Identifier: MIT
"""The counters of RDMA ports in sysfs: `counters/` (the port's management agent) and `hw_counters/` (the driver).

Source: Documentation/ABI/stable/sysfs-class-infiniband, drivers/infiniband/core/sysfs.c (PORT_PMA_ATTR: the
widths), InfiniBand Architecture Specification 1.3, 16.1.3.5 PortCounters: such a counter stops at its maximum.
"""

from __future__ import annotations

import os

from hwinfod.errors import ParseError, ReadError
from hwinfod.sources.files import Attribute, list_directory, parse_int

_WORD_BYTES = 4
_IN_WORDS = frozenset({"port_xmit_data", "port_rcv_data", "port_xmit_data_64", "port_rcv_data_64"})
_NO_PMA = b"N/A (no PMA)"
_NO_COUNTER = frozenset({"lifespan"})  # how many milliseconds the driver's values are kept

# Bits of a counter where the adapter has the classic PortCounters alone. The 64-bit ones do not stop.
_WIDTHS = {
    "symbol_error": 16,
    "link_error_recovery": 8,
    "link_downed": 8,
    "port_rcv_errors": 16,
    "port_rcv_remote_physical_errors": 16,
    "port_rcv_switch_relay_errors": 16,
    "port_xmit_discards": 16,
    "port_xmit_constraint_errors": 8,
    "port_rcv_constraint_errors": 8,
    "local_link_integrity_errors": 4,
    "excessive_buffer_overrun_errors": 4,
    "VL15_dropped": 16,
    "port_xmit_data": 32,
    "port_rcv_data": 32,
    "port_xmit_packets": 32,
    "port_rcv_packets": 32,
    "port_xmit_wait": 32,
}


def in_base_unit(name: str, value: int) -> int:
    """A counter of `counters/` in bytes where it counts data, which the hardware does in words of four."""
    return value * _WORD_BYTES if name in _IN_WORDS else value


def saturation(name: str) -> int | None:
    """The largest value that the classic register of a counter of `counters/` holds; None for one of 64 bits.

    A raw value that stays there no longer counts until somebody resets it. An adapter with wider registers may
    pass by it, and then moves on.
    """
    width = _WIDTHS.get(name)
    return None if width is None else (1 << width) - 1


def parse_counter(data: bytes) -> int | None:
    """One counter file; None for "N/A (no PMA)", where a port has no management agent. Raises ParseError."""
    return None if data.startswith(_NO_PMA) else parse_int(data)


class CounterFiles:
    """One directory of counters. `names` is sorted, `read` gives the values in the same order."""

    __slots__ = ("_files", "names")

    def __init__(self, directory: str) -> None:
        """A missing directory has no counters: drivers have either, both or none of the two."""
        self.names = tuple(name for name in list_directory(directory) if name not in _NO_COUNTER)
        self._files = tuple(Attribute(os.path.join(directory, name)) for name in self.names)

    def read(self) -> list[int | None]:
        """The values as the files give them; None for one that this port does not have or that failed."""
        return [_read(file) for file in self._files]


def _read(file: Attribute) -> int | None:
    try:
        return parse_counter(file.read())
    except (ReadError, ParseError):
        return None
