# SPDX-License-Identifier: MIT
"""Hardware that comes is looked for at once, not at the next rescan: the kernel tells of it.

A driver that is loaded announces many things in a moment, and a container host makes and ends network interfaces all
the time: only what a collector could be waiting for counts, and one rescan answers all of a second's events.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from hwinfod.errors import Absent, HwinfodError
from hwinfod.sources.uevent import UeventSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

log = logging.getLogger("hwinfod.hotplug")

_ACTIONS = frozenset({"add", "bind", "online"})
_SETTLE_SECONDS = 1.0


class HotPlug:
    """Calls `rescan` a second after hardware of one of the `subsystems` came. Without the kernel's events the
    collectors' own rescans remain: `hear` is told whether there are any."""

    def __init__(self, rescan: Callable[[], None], hear: Callable[[bool], None], subsystems: Collection[str]) -> None:
        self._rescan = rescan
        self._hear = hear
        self._subsystems = subsystems
        self._socket: UeventSocket | None = None
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Listens on the running loop."""
        try:
            self._socket = UeventSocket()
        except Absent as absent:
            log.info("%s: new hardware is found within ten seconds", absent)
            return
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)
        self._hear(True)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
            self._hear(False)

    def _read(self) -> None:
        if self._socket is None:
            return
        try:
            events, whole = self._socket.read()
        except HwinfodError as error:
            log.warning("%s: new hardware is found within ten seconds", error)
            self.close()
            return
        matters = any(event.action in _ACTIONS and event.subsystem in self._subsystems for event in events)
        if (matters or not whole) and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SETTLE_SECONDS, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._rescan()
