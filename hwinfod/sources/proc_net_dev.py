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


def split_net_dev(data: bytes) -> dict[str, bytes]:
    """The figures of each line, still bytes, by interface name: a host may have hundreds of veth for each interface
    that somebody asks for. Raises ParseError.

    A name ends at the last colon: an alias has one of its own (eth0:1).
    """
    lines = data.splitlines()
    if len(lines) < 2 or b"|" not in lines[1]:
        raise ParseError(f"/proc/net/dev: no header: {data[:60]!r}")
    return {clean_text(name): figures for name, _, figures in (line.rpartition(b":") for line in lines[2:])}


def parse_counters(figures: bytes) -> InterfaceCounters:
    """The figures of one line. Raises ParseError."""
    words = figures.split()
    if len(words) < _COLUMNS:
        raise ParseError(f"/proc/net/dev: {len(words)} figures in a line, {_COLUMNS} expected")
    try:
        n = list(map(int, words[:_COLUMNS]))
    except ValueError:
        raise ParseError(f"/proc/net/dev: not a number: {figures[:60]!r}") from None
    return InterfaceCounters(n[0], n[8], n[1], n[9], n[2], n[10], n[3], n[11], n[7], n[4], n[5], n[14])


def parse_net_dev(data: bytes) -> dict[str, InterfaceCounters]:
    """By interface name. Raises ParseError."""
    return {name: parse_counters(figures) for name, figures in split_net_dev(data).items()}
