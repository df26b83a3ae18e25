# SPDX-License-Identifier: MIT
"""Any netlink message as plain values under the kernel's own names, for reading a capture. Pure, on bytes.

A table entry (a name that ends in _ENTRY) is a list even when alone; so is any attribute that comes twice.
Unknown attributes keep number and bytes. Numbers stay numbers, but GUIDs and addresses are written as `rdma`
writes them. The daemon's own path is in devices.py, counters.py and resources.py.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any

from hwinfod.errors import ParseError
from hwinfod.sources.nldev import messages
from hwinfod.sources.nldev.attributes import NAMES, NUMBERS, TYPES
from hwinfod.sources.nldev.enums import COMMANDS, message_type
from hwinfod.sources.nldev.fields import iter_attributes, read_value

if TYPE_CHECKING:
    from hwinfod.sources.nldev.messages import Message

_DEPTH_LIMIT = 10  # the kernel nests five deep; a forged message could nest until Python's stack is gone
_GUIDS = frozenset((NUMBERS["NODE_GUID"], NUMBERS["SYS_IMAGE_GUID"], NUMBERS["SUBNET_PREFIX"]))
_TYPE_NAMES = {
    messages.NLMSG_NOOP: "NLMSG_NOOP",
    messages.NLMSG_ERROR: "NLMSG_ERROR",
    messages.NLMSG_DONE: "NLMSG_DONE",
    **{message_type(command): f"RDMA_NLDEV_CMD_{name}" for command, name in COMMANDS.items()},
}
_FLAG_NAMES = {0x1: "NLM_F_REQUEST", 0x2: "NLM_F_MULTI", 0x4: "NLM_F_ACK", 0x10: "NLM_F_DUMP_INTR"}
_REQUEST_FLAG_NAMES = {**_FLAG_NAMES, 0x100: "NLM_F_ROOT", 0x200: "NLM_F_MATCH"}
_STATUS_FLAG_NAMES = {**_FLAG_NAMES, 0x100: "NLM_F_CAPPED", 0x200: "NLM_F_ACK_TLVS"}
_EXT_ACK_MESSAGE = 1  # NLMSGERR_ATTR_MSG
_EXT_ACK_OFFSET = 2  # NLMSGERR_ATTR_OFFS


def format_guid(value: int) -> str:
    """A 64-bit GUID as `rdma` prints it: four groups of four digits."""
    digits = f"{value:016x}"
    return ":".join(digits[at : at + 4] for at in range(0, 16, 4))


def decode_message(message: Message) -> dict[str, Any]:
    """One message as a JSON object. Raises ParseError."""
    status = message.type in (messages.NLMSG_ERROR, messages.NLMSG_DONE)
    names = _STATUS_FLAG_NAMES if status else _REQUEST_FLAG_NAMES
    decoded: dict[str, Any] = {
        "type": _TYPE_NAMES.get(message.type, f"UNKNOWN({message.type})"),
        "flags": [name for flag, name in names.items() if message.flags & flag],
        "sequence": message.sequence,
        "pid": message.pid,
    }
    if status:
        decoded.update(_decode_status(message))
    elif message.type in _TYPE_NAMES:
        decoded["attributes"] = decode_attributes(message.payload, 0, len(message.payload))
    else:
        decoded["payload"] = message.payload.hex()
    return decoded


def decode_attributes(data: bytes, start: int, end: int, depth: int = 0) -> dict[str, Any]:
    """A table of attributes by name. Raises ParseError."""
    if depth > _DEPTH_LIMIT:
        raise ParseError(f"attribute at byte {start}: nested more than {_DEPTH_LIMIT} deep")
    table: dict[str, Any] = {}
    for number, first, last in iter_attributes(data, start, end):
        if TYPES.get(number) == "none":
            continue
        name = NAMES.get(number, f"UNKNOWN({number})")
        value = _decode_value(number, data, first, last, depth)
        if name.endswith("_ENTRY"):
            table.setdefault(name, []).append(value)
        elif name not in table:
            table[name] = value
        elif isinstance(table[name], list):
            table[name].append(value)
        else:
            table[name] = [table[name], value]
    return table


def _decode_value(number: int, data: bytes, start: int, end: int, depth: int) -> Any:
    if number not in TYPES:
        return data[start:end].hex()
    if TYPES[number] == "recursive":
        return decode_attributes(data, start, end, depth + 1)
    value = read_value(number, data, start, end)
    if number in _GUIDS:
        return format_guid(value)
    return value.hex() if isinstance(value, bytes) else value


def _decode_status(message: Message) -> dict[str, Any]:
    """The status of an NLMSG_ERROR or NLMSG_DONE, and what an extended acknowledgement says about it."""
    payload = message.payload
    number = messages.parse_status(payload)
    decoded: dict[str, Any] = {"error": -number}
    if number:
        decoded["errno"] = errno.errorcode.get(number, str(number))
        decoded["message"] = os.strerror(number)
    start = 4
    if message.type == messages.NLMSG_ERROR:
        if len(payload) < start + messages.HEADER.size:
            raise ParseError("error without the header of its request")
        length, kind, _, sequence, _ = messages.HEADER.unpack_from(payload, start)
        decoded["request"] = {"type": _TYPE_NAMES.get(kind, f"UNKNOWN({kind})"), "sequence": sequence}
        start += messages.HEADER.size if message.flags & messages.NLM_F_CAPPED else (length + 3) & ~3
    if message.flags & messages.NLM_F_ACK_TLVS:
        for attribute, first, last in iter_attributes(payload, start, len(payload)):
            if attribute == _EXT_ACK_MESSAGE:
                decoded["reason"] = payload[first:last].rstrip(b"\x00").decode("utf-8", "replace")
            elif attribute == _EXT_ACK_OFFSET:
                decoded["offset"] = int.from_bytes(payload[first:last], sys.byteorder)
    return decoded
