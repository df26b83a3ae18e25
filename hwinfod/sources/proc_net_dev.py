# SPDX-License-Identifier: MIT
"""/proc/net/dev: what went through each network interface.

Source: net/core/net-procfs.c dev_seq_printf_stats(), which sums related counters into one column.
"""

from __future__ import annotations

from typing import NamedTuple

from hwinfod.errors import ParseError
from hwinfod.sources.files import clean_text

_COLUMNS = 16


class InterfaceCounters(NamedTuple):
    """One interface since it was made, in the columns of /proc/net/dev, wherever they were read.

    `receive_dropped` has what the host dropped and what the hardware missed for lack of room;
    `receive_frame_errors` wrong lengths, checksums, alignment and overruns of the receiver;
    `transmit_carrier_errors` carrier losses, aborts, late collisions and lost heartbeats.
    """

    receive_bytes: int
    transmit_bytes: int
    receive_packets: int
    transmit_packets: int
    receive_errors: int
    transmit_errors: int
    receive_dropped: int
    transmit_dropped: int
    receive_multicast: int
    receive_fifo_errors: int
    receive_frame_errors: int
    transmit_carrier_errors: int


def parse_net_dev(data: bytes) -> dict[str, InterfaceCounters]:
    """By interface name. Raises ParseError.

    A name ends at the last colon: an alias may have one (eth0:1), and no space stands in any.
    """
    lines = data.splitlines()
    if len(lines) < 2 or b"|" not in lines[1]:
        raise ParseError(f"/proc/net/dev: no header: {data[:60]!r}")
    return dict(map(_parse_line, lines[2:]))


def _parse_line(line: bytes) -> tuple[str, InterfaceCounters]:
    name, colon, rest = line.rpartition(b":")
    words = rest.split()
    if not colon or len(words) < _COLUMNS:
        raise ParseError(f"/proc/net/dev: {line[:60]!r}")
    try:
        n = list(map(int, words[:_COLUMNS]))
    except ValueError:
        raise ParseError(f"/proc/net/dev: not a number: {line[:60]!r}") from None
    counters = InterfaceCounters(n[0], n[8], n[1], n[9], n[2], n[10], n[3], n[11], n[7], n[4], n[5], n[14])
    return clean_text(name), counters
