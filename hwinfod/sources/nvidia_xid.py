# SPDX-License-Identifier: MIT
"""Xid and SXid: the numbered errors of NVIDIA's driver about GPUs and NVSwitches, as the kernel's log has them.

`NVRM: Xid (PCI:0000:1b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.`
`nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 12028, Non-fatal, Link 32 egress non-posted PRIV error`
Source: https://docs.nvidia.com/deploy/xid-errors/, Fabric Manager user guide, appendix D; open-gpu-kernel-modules,
src/common/nvswitch/kernel/error_nvswitch.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hwinfod.errors import ParseError
from hwinfod.sources.files import clean_text

MARKS = (b"Xid (PCI:",)  # of SXid too

_XID = re.compile(
    rb"NVRM: Xid \(PCI:([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2})(?:\.[0-7])?\): (\d{1,5})(?:, ?(.*))?\Z",
    re.DOTALL,
)
_SXID = re.compile(
    rb"nvidia-nvswitch\d+: SXid \(PCI:([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])\): (\d{1,6}), (.*)\Z",
    re.DOTALL,
)
# What the driver prints of an SXid beyond its first line, each under the same number.
_DUMP = re.compile(rb"Severity \d+ Engine instance|Data \{")
_PROCESS = re.compile(rb"pid=(?:'?(\d+)'?|'?<unknown>'?)(?:, ?name=([^,]*))?(?:, ?)?")

APPLICATION, DRIVER, HARDWARE = "application", "driver", "hardware"

# Whom the number speaks of, by NVIDIA's catalog: what a program did, what driver or firmware did, what broke.
# A number that is not here is the driver's: not critical, and to be looked up.
_APPLICATION = frozenset({13, 31, 43, 45, 68, 69, 94, 126, 137})
_HARDWARE = frozenset(
    {46, 48, 54, 56, 61, 62, 63, 64, 71, 74, 79, 88, 92, 95, 110, 121, 122, 123, 136, 140, 142, 143, 144, 145, 146, 147,
     148, 149, 150, 151, 155, 156, 157, 158, 160, 161, 162, 167, 171, 172}
)  # fmt: skip
_MEANINGS = {
    8: "the GPU stopped working on a channel",
    13: "exception in the graphics engine: a program's own error, or bad memory",
    31: "access to memory that is not mapped: a program's own error",
    32: "invalid or damaged push buffer stream",
    38: "firmware error of the driver",
    43: "the GPU stopped working for a program, after an error of its own",
    45: "a program was ended, after an earlier error",
    46: "the GPU stopped processing",
    48: "double-bit ECC error",
    54: "auxiliary power is not connected",
    61: "breakpoint or warning of the internal microcontroller",
    62: "the internal microcontroller halted",
    63: "a memory row was remapped or a page retired",
    64: "a memory row could not be remapped, or a page not retired",
    68: "exception in the video decoder",
    69: "error in the graphics engine's class",
    74: "NVLink error",
    79: "the GPU has fallen off the bus",
    92: "many single-bit ECC errors",
    94: "ECC error that was contained to one program",
    95: "ECC error that could not be contained",
    109: "timeout of a context switch",
    119: "the firmware (GSP) did not answer in time",
    120: "error in the firmware (GSP)",
    121: "error on the link between the chips (C2C)",
    137: "access over NVLink that is not permitted: a program's own error, or one at the other end",
    140: "uncorrected ECC error",
    149: "NVLink error",
    154: "the driver wants another recovery than before",
}


@dataclass(frozen=True, slots=True)
class Xid:
    """One error. `pci` as the log has it, lower case, without the function for a GPU (0000:1b:00); `pid` None and
    `process` "" where no process is to blame; `is_switch` for SXid, with `severity` fatal or non-fatal, "" for the few
    of its firmware that are told without."""

    pci: str
    number: int
    pid: int | None
    process: str
    detail: str
    is_switch: bool = False
    severity: str = ""


def parse_xid(text: bytes) -> Xid:
    """A line of the kernel's log. Raises ParseError, for the lines after an SXid's first one too: it is one error."""
    match = _XID.search(text)
    if match is None:
        return _parse_sxid(text)
    rest = match[3] or b""
    process = _PROCESS.match(rest)
    pid, name = None, b""
    if process is not None:
        pid = int(process[1]) if process[1] else None
        name = process[2] or b""
        rest = rest[process.end() :]
    name = b"" if b"<unknown>" in name else name.strip(b"'\" ")
    return Xid(match[1].decode().lower(), int(match[2]), pid, clean_text(name)[:64], clean_text(rest)[:200])


def _parse_sxid(text: bytes) -> Xid:
    match = _SXID.search(text)
    if match is None or _DUMP.match(match[3]):
        raise ParseError(f"no Xid: {text[:60]!r}")
    severity, comma, rest = match[3].partition(b", ")
    fatal = severity.strip().lower()
    word = "non-fatal" if fatal == b"non-fatal" else "fatal" if fatal == b"fatal" else ""
    detail = clean_text(rest if comma and word else match[3])[:200]
    return Xid(match[1].decode().lower(), int(match[2]), None, "", detail, is_switch=True, severity=word)


def classify(number: int) -> str:
    """Whom an Xid speaks of: application, driver or hardware."""
    return APPLICATION if number in _APPLICATION else HARDWARE if number in _HARDWARE else DRIVER


def explain(number: int) -> str:
    """What an Xid means, "" where it is not in the table."""
    return _MEANINGS.get(number, "")
