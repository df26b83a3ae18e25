# SPDX-License-Identifier: MIT
"""The netlink frame: requests to bytes, datagrams to messages, refusals to errors.

Source: include/uapi/linux/netlink.h; Documentation/userspace-api/netlink/intro.rst.
"""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.errors import ParseError, ReadError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator

NLMSG_NOOP = 1
NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST = 0x1
NLM_F_MULTI = 0x2
NLM_F_DUMP_INTR = 0x10
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200
NLM_F_DUMP = 0x300
_MAX_ERRNO = 4095  # include/linux/err.h

HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HHI")
_ERROR = struct.Struct("=i")


class ReplyTooBig(ReadError):
    """EMSGSIZE: the kernel could not fit the answer to a single question into one message."""


class Message(NamedTuple):
    """One netlink message. NLDEV has no family header: `payload` is attributes from its first byte."""

    type: int
    flags: int
    sequence: int
    pid: int
    payload: bytes


def build_request(kind: int, flags: int, sequence: int, attributes: tuple[tuple[int, int], ...]) -> bytes:
    """A request whose attributes are all u32, as those of every NLDEV read are."""
    body = b"".join([_ATTRIBUTE.pack(8, number, value) for number, value in attributes])
    return HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, sequence, 0) + body


def iter_messages(data: bytes) -> Iterator[Message]:
    """The messages of one datagram, or of a capture. Raises ParseError where the frame breaks."""
    offset = 0
    end = len(data)
    while offset < end:
        if end - offset < HEADER.size:
            raise ParseError(f"netlink message at byte {offset}: {end - offset} bytes are no header")
        length, kind, flags, sequence, pid = HEADER.unpack_from(data, offset)
        if length < HEADER.size:
            raise ParseError(f"netlink message at byte {offset}: impossible length {length}")
        if length > end - offset:
            raise ParseError(f"netlink message at byte {offset}: truncated, {end - offset} of {length} bytes")
        yield Message(kind, flags, sequence, pid, data[offset + HEADER.size : offset + length])
        offset += (length + 3) & ~3


def parse_status(payload: bytes) -> int:
    """The errno of an NLMSG_ERROR, 0 for an acknowledgement. NLMSG_DONE of a dump carries one as well: a
    dump that failed to start ends this way and in no other. Raises ParseError."""
    if len(payload) < _ERROR.size:
        raise ParseError(f"netlink status of {len(payload)} bytes")
    number: int = _ERROR.unpack_from(payload)[0]
    if not -_MAX_ERRNO <= number <= 0:
        raise ParseError(f"netlink status {number} is no error number")
    return -number


def refusal(number: int, question: str) -> ReadError:
    """The kernel's answer `number` to a question, as the house's error."""
    if number == errno.EMSGSIZE:
        return ReplyTooBig(question, number)
    return from_os_error(OSError(number, ""), question)
