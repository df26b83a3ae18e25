# SPDX-License-Identifier: MIT
"""/dev/kmsg: the kernel's log, record by record.

The kernel keeps a cursor for every descriptor, so that each one who wants records opens a `KernelLog` of its
own: nobody waits for another's lane, and nobody loses what another has read.
Source: Documentation/ABI/testing/dev-kmsg, kernel/printk/printk.c devkmsg_read().
"""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass

from hwinfod.errors import ParseError, from_os_error

# The kernel refuses a buffer smaller than its record: PRINTK_MESSAGE_MAX is 2048, 1024 before Linux 6.6.
_RECORD_LIMIT = 8192
_FACILITY_SHIFT = 3
_LEVEL_MASK = 7
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class KernelRecord:
    """One record. `priority` is the syslog level (0 emergency to 7 debug); `monotonic_us` the time since
    boot without suspended time; `text` the message, whose bytes may come from a tenant."""

    priority: int
    facility: int
    sequence: int
    monotonic_us: int
    text: bytes

    @property
    def is_from_kernel(self) -> bool:
        """Whether the kernel itself said so: what a process writes to /dev/kmsg never has facility 0
        (devkmsg_write() makes it LOG_USER), so that a line cannot be forged."""
        return self.facility == 0


def parse_record(data: bytes) -> KernelRecord:
    """`6,339,5140900,-;NET: Registered protocol family 10` and continuation lines (dictionary), which are
    left out. Fields that a newer kernel adds before the `;` are too. Raises ParseError."""
    head, semicolon, message = data.partition(b";")
    fields = head.split(b",")
    if not semicolon or len(fields) < 3:
        raise ParseError(f"kmsg: no record: {data[:60]!r}")
    try:
        syslog, sequence, monotonic_us = map(int, fields[:3])
    except ValueError:
        raise ParseError(f"kmsg: no record: {data[:60]!r}") from None
    return KernelRecord(
        priority=syslog & _LEVEL_MASK,
        facility=syslog >> _FACILITY_SHIFT,
        sequence=sequence,
        monotonic_us=monotonic_us,
        text=_unescape(message.partition(b"\n")[0]),
    )


def _unescape(message: bytes) -> bytes:
    """The kernel writes what is not printable ASCII, and the backslash, as \\xNN."""
    if b"\\x" not in message:
        return message
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), message)


class KernelLog:
    """A cursor in the kernel's log. Never blocks.

    `from_start` begins with the oldest record the kernel still has; else only what comes from now on is
    seen. `lost` counts the times at which the kernel overwrote records before they were read.
    """

    def __init__(self, path: str, *, from_start: bool = False) -> None:
        """Raises ReadError: Denied without CAP_SYSLOG where kernel.dmesg_restrict is set."""
        self.path = path
        self.lost = 0
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            raise from_os_error(error, path) from None
        try:
            os.lseek(self._fd, 0, os.SEEK_SET if from_start else os.SEEK_END)
        except OSError as error:
            if error.errno != errno.ESPIPE:  # a test's FIFO stands in for the device
                self.close()
                raise from_os_error(error, path) from None

    def fileno(self) -> int:
        """For poll(2): readable when there are records."""
        return self._fd

    def read(self, containing: tuple[bytes, ...] = (), limit: int = 1000) -> list[KernelRecord]:
        """The records since the last call, at most `limit` looked at; the rest is left for the next call.

        Only those that contain one of the given strings are parsed, when any are given: a host that logs
        much has thousands of lines that nobody wants. Raises ReadError.
        """
        records = []
        for _ in range(limit):
            data = self._read_one()
            if not data:
                break
            if not containing or any(wanted in data for wanted in containing):
                try:
                    records.append(parse_record(data))
                except ParseError:
                    continue
        return records

    def _read_one(self) -> bytes:
        """One record; empty when there is none (yet)."""
        while True:
            try:
                return os.read(self._fd, _RECORD_LIMIT)
            except BlockingIOError:
                return b""
            except BrokenPipeError:
                # EPIPE: records were overwritten; the next read gives the oldest one left.
                self.lost += 1
            except OSError as error:
                raise from_os_error(error, self.path) from None

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()
