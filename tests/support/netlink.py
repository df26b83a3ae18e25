# SPDX-License-Identifier: MIT
"""Netlink messages made by hand, as the kernel's nla_put() and nlmsg_put() make them, and a kernel to answer."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from pathlib import Path

from hwinfod.sources.nldev.attributes import NUMBERS
from hwinfod.sources.nldev.enums import COMMAND, message_type
from hwinfod.sources.nldev.messages import Message, iter_messages

CAPTURES = Path(__file__).parents[1] / "fixtures" / "rdma"

DONE, ERROR = 3, 2
MULTI, INTERRUPTED = 0x2, 0x10


def captured(name: str) -> list[Message]:
    """The messages of a captured answer."""
    return list(iter_messages((CAPTURES / "netlink" / f"{name}.bin").read_bytes()))


def attribute(number: int, value: bytes, flags: int = 0) -> bytes:
    return struct.pack("=HH", 4 + len(value), number | flags) + value + bytes(-len(value) % 4)


def u8(name: str, value: int) -> bytes:
    return attribute(NUMBERS[name], struct.pack("=B", value))


def u32(name: str, value: int) -> bytes:
    return attribute(NUMBERS[name], struct.pack("=I", value))


def u64(name: str, value: int, *, padded: bool = False) -> bytes:
    """With `padded` as on machines that cannot read a u64 anywhere: a PAD attribute comes before."""
    return (attribute(0, b"") if padded else b"") + attribute(NUMBERS[name], struct.pack("=Q", value))


def text(name: str, value: str) -> bytes:
    return attribute(NUMBERS[name], value.encode() + b"\0")


def table(name: str, *attributes: bytes, flagged: bool = False) -> bytes:
    return attribute(NUMBERS[name], b"".join(attributes), 0x8000 if flagged else 0)


def device(index: int, name: str) -> bytes:
    return u32("DEV_INDEX", index) + text("DEV_NAME", name)


def counters(values: dict[str, int], *, padded: bool = False) -> bytes:
    entries = [
        table(
            "STAT_HWCOUNTER_ENTRY",
            text("STAT_HWCOUNTER_ENTRY_NAME", name),
            u64("STAT_HWCOUNTER_ENTRY_VALUE", value, padded=padded),
            flagged=True,
        )
        for name, value in values.items()
    ]
    return table("STAT_HWCOUNTERS", *entries, flagged=True)


def message(kind: int, payload: bytes, *, sequence: int = 1, flags: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 100) + payload


def reply(command: str, payload: bytes, *, sequence: int = 1, flags: int = 0) -> bytes:
    return message(message_type(COMMAND[command]), payload, sequence=sequence, flags=flags)


def done(sequence: int = 1, status: int = 0, flags: int = 0) -> bytes:
    return message(DONE, struct.pack("=i", -status), sequence=sequence, flags=MULTI | flags)


def error(number: int, request: bytes, sequence: int = 1) -> bytes:
    return message(ERROR, struct.pack("=i", -number) + request, sequence=sequence)


class Kernel:
    """A transport with a kernel behind it: `answer(request, sequence)` gives the datagrams, or errors to raise in
    their place, that one request brings. `requests` keeps what was asked."""

    def __init__(self, answer: Callable[[Message, int], list[bytes | OSError]]) -> None:
        self.requests: list[Message] = []
        self.closed = False
        self._answer = answer
        self._queue: deque[bytes | OSError] = deque()

    def send(self, data: bytes) -> None:
        (request,) = iter_messages(data)
        self.requests.append(request)
        self._queue.extend(self._answer(request, request.sequence))

    def receive(self) -> bytes:
        if not self._queue:
            raise OSError(110, "no answer")
        data = self._queue.popleft()
        if isinstance(data, OSError):
            raise data
        return data

    def close(self) -> None:
        self.closed = True
