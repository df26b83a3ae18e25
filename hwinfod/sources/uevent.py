# SPDX-License-Identifier: MIT
"""Kernel uevents: hardware that comes, goes or is bound to a driver, said by the kernel itself.

One datagram an event, `add@/devices/...` and then KEY=value, each ended by a null byte.
Source: lib/kobject_uevent.c, include/linux/kobject.h enum kobject_action.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from hwinfod.errors import Absent, ParseError, from_os_error
from hwinfod.sources.files import clean_text

_NETLINK_KOBJECT_UEVENT = 15  # include/uapi/linux/netlink.h
_KERNEL_GROUP = 1  # group 2 carries what udev made of it, and is udev's
_BUFFER = 16384  # an event is at most UEVENT_BUFFER_SIZE, 2048 bytes, and its header
_RECEIVE_BUFFER = 1 << 20  # a container host sends hundreds at once, and nobody reads between two ticks
_MOST_PER_READ = 10_000


@dataclass(frozen=True, slots=True)
class Uevent:
    """One event. `action` is add, remove, change, move, online, offline, bind or unbind; `devpath` stands
    below /sys; `name` is the last part of it; `driver` and `pci_slot` are "" where the device has none."""

    action: str
    devpath: str
    subsystem: str
    driver: str
    pci_slot: str

    @property
    def name(self) -> str:
        return self.devpath.rpartition("/")[2]


def parse_uevent(data: bytes) -> Uevent:
    """One datagram of the kernel. Raises ParseError, on udev's own datagrams too."""
    head, _, body = data.partition(b"\0")
    fields = {}
    for entry in body.split(b"\0"):
        key, equals, value = entry.partition(b"=")
        if equals:
            fields[key] = value
    action, devpath = fields.get(b"ACTION", b""), fields.get(b"DEVPATH", b"")
    if not action or not devpath.startswith(b"/") or head != action + b"@" + devpath:
        raise ParseError(f"not an event of the kernel: {data[:60]!r}")
    return Uevent(
        action=clean_text(action),
        devpath=clean_text(devpath),
        subsystem=clean_text(fields.get(b"SUBSYSTEM", b"")),
        driver=clean_text(fields.get(b"DRIVER", b"")),
        pci_slot=clean_text(fields.get(b"PCI_SLOT_NAME", b"")),
    )


class UeventSocket:
    """The kernel's events since the last read. Never blocks; `fileno` is readable when there are some.

    Raises Absent where the kernel has no such socket or does not let us listen.
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK,
                socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
                _NETLINK_KOBJECT_UEVENT,
            )
        except OSError as error:
            raise Absent(f"no kernel uevents: {os.strerror(error.errno or errno.EPROTONOSUPPORT)}") from None
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self._socket.bind((0, _KERNEL_GROUP))
        except OSError as error:
            self._socket.close()
            raise Absent(f"no kernel uevents: {os.strerror(error.errno or errno.EPERM)}") from None

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> tuple[list[Uevent], bool]:
        """What happened since the last call, and whether all of it is here: after an overrun (False) the
        caller must look for itself. Raises ReadError."""
        events: list[Uevent] = []
        whole = True
        for _ in range(_MOST_PER_READ):
            try:
                data, (sender, _group) = self._socket.recvfrom(_BUFFER)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise from_os_error(error, "kernel uevents") from None
                whole = False
                continue
            if sender != 0:
                continue  # a process with CAP_NET_ADMIN sent it: only the kernel has port 0
            try:
                events.append(parse_uevent(data))
            except ParseError:
                whole = False
        return events, whole

    def close(self) -> None:
        self._socket.close()
