# SPDX-License-Identifier: MIT
"""A driver's own statistics of a network interface (`ethtool -S`), through ioctl: netlink has no such question.

The names are asked once and the places of the wanted ones kept; from then on a reading costs two ioctls. The
driver may ask its firmware and holds rtnl_lock meanwhile: not for a lane that must not wait.
Source: include/uapi/linux/ethtool.h (struct ethtool_sset_info, ethtool_gstrings, ethtool_stats), net/ethtool/ioctl.c.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from array import array
from typing import TYPE_CHECKING

from hwinfod.errors import ParseError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Callable

    # Hands a buffer, which the kernel reads and writes, to the driver of an interface. Raises OSError.
    Ioctl = Callable[[str, array[int]], None]

_SIOCETHTOOL = 0x8946  # include/uapi/linux/sockios.h
_ETHTOOL_GSTRINGS = 0x1B
_ETHTOOL_GSTATS = 0x1D
_ETHTOOL_GSSET_INFO = 0x37
_ETH_SS_STATS = 1
_NAME_BYTES = 32  # ETH_GSTRING_LEN

_IFREQ = struct.Struct("16sP16x")  # struct ifreq: the name, and a union whose longest member has 24 bytes
_SET_INFO = struct.Struct("=IIQI")
_STRINGS = struct.Struct("=III")
_STATS = struct.Struct("=II")
_WORD_BYTES = 8

# The kernel writes as many values as the driver has at that moment, whatever room it was told of. A driver that
# is given more queues between count and reading must not write over our memory.
_SPARE = 4096
_MOST_STATISTICS = 1 << 18


class EthtoolSocket:
    """SIOCETHTOOL over a socket of our own. Raises ReadError where there can be none."""

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        except OSError as error:
            raise from_os_error(error, "ethtool socket") from None

    def __call__(self, interface: str, buffer: array[int]) -> None:
        fcntl.ioctl(self._socket, _SIOCETHTOOL, _IFREQ.pack(interface.encode(), buffer.buffer_info()[0]))

    def close(self) -> None:
        self._socket.close()


class Statistics:
    """The wanted statistics of one interface. `names` are those of them that its driver has."""

    def __init__(self, ioctl: Ioctl, interface: str, wanted: Callable[[str], bool]) -> None:
        self.interface = interface
        self.names: tuple[str, ...] = ()
        self._ioctl = ioctl
        self._wanted = wanted
        self._count = -1
        self._places: tuple[int, ...] = ()
        self._buffer = _words(0)

    def read(self) -> list[int]:
        """The values in the order of `names`, which this may change. Raises ReadError (NotProvided where the
        driver has no statistics at all, Gone where the interface left) or ParseError."""
        try:
            count = self._ask_count()
            if count != self._count:
                self._learn(count)
            if not self._places:
                return []
            _STATS.pack_into(self._buffer, 0, _ETHTOOL_GSTATS, count)
            self._ioctl(self.interface, self._buffer)
        except OSError as error:
            self._count = -1
            raise from_os_error(error, f"ethtool statistics of {self.interface}") from None
        buffer = self._buffer
        return [buffer[place] for place in self._places]

    def _ask_count(self) -> int:
        question = _words(_SET_INFO.size)
        _SET_INFO.pack_into(question, 0, _ETHTOOL_GSSET_INFO, 0, 1 << _ETH_SS_STATS, 0)
        self._ioctl(self.interface, question)
        _, _, known_sets, count = _SET_INFO.unpack_from(question)
        if count > _MOST_STATISTICS:
            raise ParseError(f"ethtool: {self.interface} claims {count} statistics")
        return count if known_sets else 0

    def _learn(self, count: int) -> None:
        """Finds the places of what is wanted; the value of name N stands in word N + 1 of the answer."""
        self.names, self._places, self._count = (), (), count
        if not count:
            return
        names = _words(_STRINGS.size + _NAME_BYTES * (count + _SPARE))
        _STRINGS.pack_into(names, 0, _ETHTOOL_GSTRINGS, _ETH_SS_STATS, count)
        self._ioctl(self.interface, names)
        found = parse_names(names.tobytes()[_STRINGS.size :], count)
        places = [place for place, name in enumerate(found) if self._wanted(name)]
        self.names = tuple(found[place] for place in places)
        self._places = tuple(place + 1 for place in places)
        self._buffer = _words(_STATS.size + _WORD_BYTES * (count + _SPARE))


def parse_names(data: bytes, count: int) -> list[str]:
    """`count` names of 32 bytes, padded with NUL. Raises ParseError."""
    if len(data) < count * _NAME_BYTES:
        raise ParseError(f"{len(data)} bytes are not {count} names")
    return [
        data[start : start + _NAME_BYTES].split(b"\0", 1)[0].decode("ascii", "replace").strip()
        for start in range(0, count * _NAME_BYTES, _NAME_BYTES)
    ]


def _words(size: int) -> array[int]:
    """A zeroed buffer of at least so many bytes, aligned for the kernel's u64."""
    return array("Q", bytes((size + _WORD_BYTES - 1) // _WORD_BYTES * _WORD_BYTES))
