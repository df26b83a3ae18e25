# SPDX-License-Identifier: MIT
"""The accepted inventory: which devices a host is expected to have, kept in a file of our own.

    {"format": 1, "accepted_seconds": 1759406400.0, "devices": {"gpu": ["0000:16:00.0", "0000:17:00.0"]}}

Devices stand under their ids, which say where they are plugged in: one that is replaced in its slot is still there.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.errors import Gone, ParseError
from hwinfod.sources.files import read_regular

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "inventory.json"
_NEW = FILE + ".new"
_FORMAT = 1
_LIMIT = 1 << 20
_MODE = 0o640
_END_OF_TIME = 1e11  # the year 5138: what no clock says, and gmtime(3) still takes


@dataclass(frozen=True, slots=True)
class Inventory:
    """`devices` has ids by class; `accepted_seconds` is when a person said that this is how it should be."""

    accepted_seconds: float
    devices: Mapping[str, tuple[str, ...]]


def parse_inventory(data: bytes) -> Inventory:
    """Raises ParseError."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise ParseError(f"{FILE}: not JSON: {data[:40]!r}") from None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ParseError(f"{FILE}: not an inventory of format {_FORMAT}")
    accepted, devices = document.get("accepted_seconds"), document.get("devices")
    if isinstance(accepted, bool) or not isinstance(accepted, (int, float)) or not 0 <= accepted < _END_OF_TIME:
        raise ParseError(f"{FILE}: accepted_seconds must be a time in seconds since 1970")
    if not isinstance(devices, dict):
        raise ParseError(f"{FILE}: devices must be an object")
    if not all(isinstance(ids, list) and all(isinstance(id_, str) for id_ in ids) for ids in devices.values()):
        raise ParseError(f"{FILE}: each class of devices must be a list of ids")
    return Inventory(accepted, {class_: tuple(ids) for class_, ids in devices.items()})


def format_inventory(inventory: Inventory) -> bytes:
    document = {
        "format": _FORMAT,
        "accepted_seconds": inventory.accepted_seconds,
        "devices": {class_: list(ids) for class_, ids in sorted(inventory.devices.items())},
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def read_inventory(directory: str) -> Inventory | None:
    """None where nobody accepted one yet. Raises ReadError, ParseError."""
    try:
        return parse_inventory(read_regular(os.path.join(directory, FILE), _LIMIT))
    except Gone:
        return None


def read_version(directory: str) -> tuple[int, int] | None:
    """What changes when the file is written anew; None where there is none."""
    try:
        status = os.stat(os.path.join(directory, FILE))
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def write_inventory(directory: str, inventory: Inventory) -> None:
    """Replaces the file as a whole: after a crash there is the old one or the new one. Raises OSError."""
    new = os.path.join(directory, _NEW)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(format_inventory(inventory))
        os.fsync(fd)
    except OSError:
        os.unlink(new)
        raise
    finally:
        os.close(fd)
    os.replace(new, os.path.join(directory, FILE))
    directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory_fd)
    finally:
        os.close(directory_fd)
