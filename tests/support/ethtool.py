# SPDX-License-Identifier: MIT
"""A network driver for `ethtool -S`: answers the three ioctls as net/ethtool/ioctl.c does."""

from __future__ import annotations

import errno
import struct
from array import array

GSTRINGS, GSTATS, GSSET_INFO = 0x1B, 0x1D, 0x37


class Driver:
    """`statistics` of each interface by name, changed at will. `calls` counts what was asked."""

    def __init__(self, statistics: dict[str, dict[str, int]]) -> None:
        self.statistics = statistics
        self.calls: list[int] = []

    def __call__(self, interface: str, buffer: array[int]) -> None:
        if interface not in self.statistics:
            raise OSError(errno.ENODEV, "No such device")
        values = self.statistics[interface]
        memory = memoryview(buffer).cast("B")
        (command,) = struct.unpack_from("=I", memory)
        self.calls.append(command)
        if command == GSSET_INFO:
            struct.pack_into("=QI", memory, 8, 2 if values else 0, len(values))
            return
        if not values:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        if command == GSTRINGS:
            struct.pack_into("=I", memory, 8, len(values))
            names = b"".join(name.encode().ljust(32, b"\0") for name in values)
            memory[12 : 12 + len(names)] = names
        elif command == GSTATS:
            struct.pack_into(f"=I{len(values)}Q", memory, 4, len(values), *values.values())
        else:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    def close(self) -> None:
        """Nothing is open."""
