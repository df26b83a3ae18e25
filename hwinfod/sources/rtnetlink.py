# SPDX-License-Identifier: MIT
"""Counters of all network interfaces in one question to rtnetlink: RTM_GETSTATS.

A tenth of the cost of sysfs, a quarter of /proc/net/dev where there are many interfaces. The kernel answers
under rtnl_lock, which a driver may hold for as long as its firmware hangs: not for a lane that must not wait.
Source: include/uapi/linux/if_link.h struct if_stats_msg, rtnl_link_stats64; net/core/rtnetlink.c.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.errors import ParseError, ReadError, from_os_error
from hwinfod.sources.nldev.messages import (
    HEADER,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    parse_status,
    refusal,
)
from hwinfod.sources.nldev.transport import SocketTransport
from hwinfod.sources.proc_net_dev import InterfaceCounters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hwinfod.sources.nldev.client import Transport

RTM_NEWSTATS = 92
_RTM_GETSTATS = 94
_IFLA_STATS_LINK_64 = 1
_TRIES = 3
_QUESTION = "rtnetlink RTM_GETSTATS"

_STATS_MESSAGE = struct.Struct("=BBHII")  # family, two of padding, ifindex, filter mask
_ATTRIBUTE = struct.Struct("=HH")
_LINK_STATS = struct.Struct("=21Q")  # up to tx_window_errors; newer kernels have more behind
_STATS_START = HEADER.size + _STATS_MESSAGE.size


# struct rtnl_link_stats64 as far as we read it; `to_counters` makes sense of it where somebody asks.
LinkStats = tuple[int, ...]


class Part(NamedTuple):
    """What one datagram of the answer brought, by interface index; `is_interrupted` when interfaces changed while it
    was made."""

    stats: dict[int, LinkStats]
    is_last: bool
    is_interrupted: bool


def build_question(sequence: int, index: int = 0) -> bytes:
    """One interface by its index, or with 0 all of them; of the statistics only the counters."""
    body = _STATS_MESSAGE.pack(0, 0, 0, index, 1 << (_IFLA_STATS_LINK_64 - 1))
    flags = NLM_F_REQUEST if index else NLM_F_REQUEST | NLM_F_DUMP
    return HEADER.pack(HEADER.size + len(body), _RTM_GETSTATS, flags, sequence, 0) + body


def parse_stats(data: bytes, sequence: int) -> Part:
    """One datagram of the answer to question `sequence`. Messages of older questions are skipped. Raises ParseError, or
    a ReadError with which the kernel refused."""
    stats: dict[int, LinkStats] = {}
    interrupted = False
    offset, end = 0, len(data)
    while end - offset >= HEADER.size:
        length, kind, flags, answered, _ = HEADER.unpack_from(data, offset)
        if length < HEADER.size or length > end - offset:
            raise ParseError(f"{_QUESTION}: message of {length} bytes, {end - offset} are left")
        if answered == sequence:
            interrupted = interrupted or bool(flags & NLM_F_DUMP_INTR)
            if kind in (NLMSG_DONE, NLMSG_ERROR):
                # some kernels end a dump without a status, which is success
                status = parse_status(data[offset + HEADER.size : offset + length]) if length > HEADER.size else 0
                if status:
                    raise refusal(status, _QUESTION)
                return Part(stats, True, interrupted)
            if kind == RTM_NEWSTATS:
                _parse_message(data, offset, offset + length, stats)
        offset += (length + 3) & ~3
    return Part(stats, False, interrupted)


def _parse_message(data: bytes, start: int, end: int, stats: dict[int, LinkStats]) -> None:
    if end - start < _STATS_START:
        raise ParseError(f"{_QUESTION}: {end - start} bytes are no statistics")
    index = _STATS_MESSAGE.unpack_from(data, start + HEADER.size)[3]
    start += _STATS_START
    while end - start >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if length < _ATTRIBUTE.size or length > end - start:
            raise ParseError(f"{_QUESTION}: attribute of {length} bytes, {end - start} are left")
        if kind == _IFLA_STATS_LINK_64:
            if length < _ATTRIBUTE.size + _LINK_STATS.size:
                raise ParseError(f"{_QUESTION}: counters of {length} bytes")
            stats[index] = _LINK_STATS.unpack_from(data, start + _ATTRIBUTE.size)
        start += (length + 3) & ~3


def to_counters(s: LinkStats) -> InterfaceCounters:
    """Sums as /proc/net/dev has them: net/core/net-procfs.c."""
    return InterfaceCounters(
        s[2], s[3], s[0], s[1], s[4], s[5], s[6] + s[15], s[7], s[8], s[14],
        s[10] + s[11] + s[12] + s[13], s[16] + s[17] + s[19] + s[20],
    )  # fmt: skip


def open_transport() -> Transport:
    """A NETLINK_ROUTE socket. Raises ReadError."""
    try:
        return SocketTransport(
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        )
    except OSError as error:
        raise from_os_error(error, "rtnetlink socket") from None


class StatsSocket:
    """Asks again and again over one socket, which is made anew after an error. Not for two threads."""

    def __init__(self, open_: Callable[[], Transport] = open_transport) -> None:
        self._open = open_
        self._transport: Transport | None = None
        self._sequence = 0

    def read(self) -> dict[int, LinkStats]:
        """The counters of all interfaces of this network namespace by index. Raises ReadError, ParseError.

        Asked again where interfaces came or went meanwhile; at the third time that is good enough.
        """
        try:
            for _ in range(_TRIES):
                stats, interrupted = self._ask()
                if not interrupted:
                    break
            return stats
        except (ReadError, ParseError):
            self.close()  # what is left of the answer must not meet the next question
            raise

    def read_some(self, indexes: Iterable[int]) -> dict[int, LinkStats]:
        """The counters of these interfaces alone, each asked for by itself: where there are hundreds of others, that is
        cheaper than all. Raises ReadError (ENODEV: one has left), ParseError."""
        stats: dict[int, LinkStats] = {}
        try:
            for index in indexes:
                stats.update(self._ask(index)[0])
        except (ReadError, ParseError):
            self.close()
            raise
        return stats

    def _ask(self, index: int = 0) -> tuple[dict[int, LinkStats], bool]:
        """What became of the counters of one interface, or of all, and whether these changed meanwhile. The answer to
        the question for one is one message, with nothing behind it that would say so."""
        if self._transport is None:
            self._transport = self._open()
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        stats: dict[int, LinkStats] = {}
        interrupted = False
        try:
            self._transport.send(build_question(self._sequence, index))
            while True:
                part = parse_stats(self._transport.receive(), self._sequence)
                stats.update(part.stats)
                interrupted = interrupted or part.is_interrupted
                if part.is_last or (index and stats):
                    return stats, interrupted
        except OSError as error:
            raise from_os_error(error, _QUESTION) from None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None
