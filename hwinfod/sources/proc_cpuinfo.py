# SPDX-License-Identifier: MIT
"""/proc/cpuinfo: which processor this is. x86 and arm64 write different words.

Source: arch/x86/kernel/cpu/proc.c show_cpuinfo(), arch/arm64/kernel/cpuinfo.c c_show().
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.errors import ParseError
from hwinfod.sources.files import clean_text, read_file

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

# One processor's block is about 1.5 KiB; the file of a large host is long and, on some kernels, dear:
# reading on would ask every processor for its frequency (arch/x86/kernel/cpu/aperfmperf.c).
_FIRST_BLOCK_LIMIT = 8192

# arm64 gives numbers only. Implementer and part of the processors found in servers:
# arch/arm64/include/asm/cputype.h.
_ARM_PARTS = {
    (0x41, 0xD07): "Cortex-A57",
    (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD0C): "Neoverse-N1",
    (0x41, 0xD40): "Neoverse-V1",
    (0x41, 0xD42): "Cortex-A78AE",
    (0x41, 0xD49): "Neoverse-N2",
    (0x41, 0xD4F): "Neoverse-V2",
    (0x41, 0xD83): "Neoverse-V3AE",
    (0x41, 0xD84): "Neoverse-V3",
    (0x41, 0xD8E): "Neoverse-N3",
    (0x43, 0x0AF): "ThunderX2 99xx",
    (0x46, 0x001): "A64FX",
    (0x48, 0xD01): "TaiShan v110",
    (0x4E, 0x004): "Carmel",
    (0xC0, 0xAC3): "Ampere-1",
    (0xC0, 0xAC4): "Ampere-1a",
}
_ARM_IMPLEMENTERS = {
    0x41: "ARM",
    0x43: "Cavium",
    0x46: "FUJITSU",
    0x48: "HiSilicon",
    0x4E: "NVIDIA",
    0x51: "Qualcomm",
    0xC0: "Ampere",
}


@dataclass(frozen=True, slots=True)
class CpuInfo:
    """The facts of one processor; "" where the architecture does not say."""

    vendor: str
    model: str
    family: str
    stepping: str
    microcode: str


def parse_cpuinfo(data: bytes) -> CpuInfo:
    """The first processor of /proc/cpuinfo. Raises ParseError where there is none."""
    fields: dict[str, str] = {}
    for line in data.splitlines():
        key, colon, value = line.partition(b":")
        if colon:
            fields.setdefault(clean_text(key), clean_text(value))
        elif fields:
            break
    if not fields:
        raise ParseError(f"/proc/cpuinfo: no processor: {data[:60]!r}")
    if "CPU implementer" in fields:
        return _describe_arm(fields)
    return CpuInfo(
        vendor=fields.get("vendor_id", ""),
        model=fields.get("model name") or fields.get("cpu", ""),
        family=fields.get("cpu family", ""),
        stepping=fields.get("stepping") or fields.get("revision", ""),
        microcode=fields.get("microcode", ""),
    )


def _describe_arm(fields: dict[str, str]) -> CpuInfo:
    implementer_text, part_text = fields["CPU implementer"], fields.get("CPU part", "")
    try:
        implementer, part = int(implementer_text, 16), int(part_text, 16)
    except ValueError:
        implementer = part = -1
    unknown = f"implementer {implementer_text} part {part_text}".strip()
    variant, revision = fields.get("CPU variant", ""), fields.get("CPU revision", "")
    return CpuInfo(
        vendor=_ARM_IMPLEMENTERS.get(implementer, implementer_text),
        model=_ARM_PARTS.get((implementer, part)) or fields.get("model name") or unknown,
        family=fields.get("CPU architecture", ""),
        # Arm writes variant and revision together: r3p1.
        stepping=f"r{int(variant, 16)}p{revision}" if _is_hex(variant) and revision else "",
        microcode="",
    )


def _is_hex(text: str) -> bool:
    try:
        return int(text, 16) >= 0
    except ValueError:
        return False


def read_cpuinfo(roots: RootPaths) -> CpuInfo:
    """Raises ReadError, ParseError."""
    return parse_cpuinfo(read_file(roots.proc("cpuinfo"), _FIRST_BLOCK_LIMIT))
