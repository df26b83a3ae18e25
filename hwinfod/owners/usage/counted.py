# SPDX-License-Identifier: MIT
"""Which block devices count for an owner's bytes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths


class CountedDevices:
    """Bytes of a volume (dm, md) are counted where its disks are. Source: /sys/dev/block/*/slaves."""

    def __init__(self, roots: RootPaths) -> None:
        self._roots = roots
        self._known: dict[str, bool] = {}

    def __call__(self, device: str) -> bool:
        """Of a device by its numbers: "8:0"."""
        counted = self._known.get(device)
        if counted is None:
            slaves = self._roots.sys("dev", "block", device, "slaves")
            counted = self._known[device] = not (os.path.isdir(slaves) and os.listdir(slaves))
        return counted
