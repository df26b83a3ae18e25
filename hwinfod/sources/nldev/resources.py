# SPDX-License-Identifier: MIT
"""Replies to RES_QP_GET, RES_CQ_GET, RES_MR_GET and their like: one record an object. Pure, on bytes.

A node of a training job has ten thousand objects and more, so that the walk goes over 32-bit words: length
and type of an attribute are one of them, and most attributes are a u32 or u8 whose first word is known.

`pid` is the task that made the object, numbered in the reader's pid namespace: often a thread, whose process
is in /proc/PID/status; absent where the reader cannot see it. `kernel_name` is there for the kernel's own.
Source: drivers/infiniband/core/nldev.c, fill_res_*_entry(), fill_res_name_pid().
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from hwinfod.errors import ParseError
from hwinfod.sources.nldev.attributes import NUMBERS, TYPES
from hwinfod.sources.nldev.enums import COMMAND
from hwinfod.sources.nldev.fields import read_value

if TYPE_CHECKING:
    from collections.abc import Mapping


class QueuePair(NamedTuple):
    """`type` and `state` as in enums.QP_TYPES and QP_STATES; `remote` for RC and UC."""

    device_index: int
    port: int | None
    number: int | None
    remote: int | None
    type: int | None
    state: int | None
    pd: int | None
    pid: int | None
    kernel_name: str | None


class CompletionQueue(NamedTuple):
    """`entries` is its capacity, `users` the queue pairs and SRQs on it."""

    device_index: int
    number: int | None
    entries: int | None
    users: int | None
    context: int | None
    pid: int | None
    kernel_name: str | None


class MemoryRegion(NamedTuple):
    """`length_bytes` is what is registered, and pinned unless it is on-demand memory."""

    device_index: int
    number: int | None
    length_bytes: int | None
    pd: int | None
    pid: int | None
    kernel_name: str | None


class CmId(NamedTuple):
    """A connection of the RDMA connection manager; `type`, `state`, `port_space` as in enums."""

    device_index: int
    port: int | None
    number: int | None
    qp: int | None
    type: int | None
    state: int | None
    port_space: int | None
    source: str | None
    destination: str | None
    pid: int | None
    kernel_name: str | None


class ProtectionDomain(NamedTuple):
    device_index: int
    number: int | None
    users: int | None
    context: int | None
    pid: int | None
    kernel_name: str | None


class Context(NamedTuple):
    """One open of the device by a process."""

    device_index: int
    number: int | None
    pid: int | None
    kernel_name: str | None


class SharedReceiveQueue(NamedTuple):
    """`type` as in enums.SRQ_TYPES."""

    device_index: int
    number: int | None
    type: int | None
    pd: int | None
    cq: int | None
    pid: int | None
    kernel_name: str | None


_BIG_ENDIAN = sys.byteorder == "big"
_DEV_INDEX = NUMBERS["DEV_INDEX"]


def _first_word(length: int, number: int) -> int:
    word: int = struct.unpack("=I", struct.pack("=HH", length, number))[0]
    return word


def _split(word: int) -> tuple[int, int]:
    """Length and number of an attribute, from its first word."""
    if _BIG_ENDIAN:
        return word >> 16, word & 0x3FFF
    return word & 0xFFFF, (word >> 16) & 0x3FFF


@dataclass(frozen=True, slots=True)
class Kind:
    """How one type of object is asked for and told."""

    command: int
    table: int
    entry: int
    record: Any
    slots: Mapping[int, int]
    words: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, slot in self.slots.items():
            if TYPES[number] == "uint32":
                self.words[_first_word(8, number)] = slot
            elif TYPES[number] == "uint8":
                self.words[_first_word(5, number)] = ~slot  # the sign says: one byte


def _kind(name: str, record: Any, *fields: str) -> Kind:
    owned = (*fields, "RES_PID", "RES_KERN_NAME")
    slots = {NUMBERS[attribute]: position for position, attribute in enumerate(owned, 1)}
    return Kind(COMMAND[f"{name}_GET"], NUMBERS[name], NUMBERS[f"{name}_ENTRY"], record, slots)


KINDS = {
    "qp": _kind("RES_QP", QueuePair, "PORT_INDEX", "RES_LQPN", "RES_RQPN", "RES_TYPE", "RES_STATE", "RES_PDN"),
    "cq": _kind("RES_CQ", CompletionQueue, "RES_CQN", "RES_CQE", "RES_USECNT", "RES_CTXN"),
    "mr": _kind("RES_MR", MemoryRegion, "RES_MRN", "RES_MRLEN", "RES_PDN"),
    "cm_id": _kind(
        "RES_CM_ID",
        CmId,
        "PORT_INDEX",
        "RES_CM_IDN",
        "RES_LQPN",
        "RES_TYPE",
        "RES_STATE",
        "RES_PS",
        "RES_SRC_ADDR",
        "RES_DST_ADDR",
    ),
    "pd": _kind("RES_PD", ProtectionDomain, "RES_PDN", "RES_USECNT", "RES_CTXN"),
    "ctx": _kind("RES_CTX", Context, "RES_CTXN"),
    "srq": _kind("RES_SRQ", SharedReceiveQueue, "RES_SRQN", "RES_TYPE", "RES_PDN", "RES_CQN"),
}


def parse_resources(payload: bytes, kind: Kind) -> list[Any]:
    """The records (`kind.record`) of one message of a dump. Raises ParseError."""
    words = struct.unpack_from(f"={len(payload) // 4}I", payload)
    end = len(words)
    device = None
    records: list[Any] = []
    index = 0
    while index < end:
        length, number = _split(words[index])
        stop = index + ((length + 3) >> 2)
        if length < 4 or stop > end:
            raise ParseError(f"attribute at byte {4 * index}: length {length}, {4 * (end - index)} bytes are left")
        if number == _DEV_INDEX:
            device = read_value(number, payload, 4 * index + 4, 4 * index + length)
        elif number == kind.table:
            if device is None:
                raise ParseError("objects without a device")
            _parse_table(payload, words, index + 1, stop, kind, device, records)
        index = stop
    return records


def _parse_table(
    payload: bytes, words: tuple[int, ...], index: int, end: int, kind: Kind, device: int, records: list[Any]
) -> None:
    make = kind.record._make
    blank = [device] + [None] * len(kind.slots)
    while index < end:
        length, number = _split(words[index])
        stop = index + ((length + 3) >> 2)
        if length < 4 or stop > end:
            raise ParseError(f"entry at byte {4 * index}: length {length}, {4 * (end - index)} bytes are left")
        if number == kind.entry:
            values = blank[:]
            _parse_entry(payload, words, index + 1, stop, kind, values)
            records.append(make(values))
        index = stop


def _parse_entry(payload: bytes, words: tuple[int, ...], index: int, end: int, kind: Kind, values: list[Any]) -> None:
    known = kind.words
    while index < end:
        slot = known.get(words[index])
        if slot is None:
            length, number = _split(words[index])
            stop = index + ((length + 3) >> 2)
            if length < 4 or stop > end:
                raise ParseError(f"attribute at byte {4 * index}: length {length} is beyond its entry")
            slot = kind.slots.get(number)
            if slot is not None:
                values[slot] = read_value(number, payload, 4 * index + 4, 4 * index + length)
            index = stop
            continue
        index += 2
        if index > end:
            raise ParseError(f"attribute at byte {4 * index - 8} is beyond its entry")
        if slot >= 0:
            values[slot] = words[index - 1]
        else:
            values[~slot] = payload[4 * index - 4]
