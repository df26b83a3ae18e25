# SPDX-License-Identifier: MIT
"""amdgpu's own files in the directory of its PCI function: memory, load, clocks, errors, partitions, identity.

Source: Documentation/gpu/amdgpu/driver-misc.rst and thermal.rst, drivers/gpu/drm/amd/pm/amdgpu_pm.c, amdgpu_ras.c,
amdgpu_gfx.c. pcie_bw is not read: it blocks for a second. What asks the GPU wakes a sleeping one.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.errors import ParseError, ReadError
from hwinfod.sources.files import list_directory, read_file, read_int, read_optional, read_text
from hwinfod.sources.pci import AMD, read_pci

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.host import RootPaths
    from hwinfod.sources.pci import PciDevice

DRIVER = "amdgpu"

_LEVEL = re.compile(rb"(?:\d{1,3}|S): {0,4}(\d{1,6})Mhz( \*)?\s*\Z", re.IGNORECASE)
_COUNT = re.compile(rb"(ue|ce|de): {0,4}(\d{1,19})\s*\Z")
_ERROR_TYPES = {b"ue": "uncorrected", b"ce": "corrected", b"de": "deferred"}
_PAGE = re.compile(rb"0x[0-9a-f]{1,16} : 0x[0-9a-f]{1,16} : ([RPF])\s*\Z", re.IGNORECASE)
_PAGE_STATES = {b"R": "retired", b"P": "pending", b"F": "failed"}
_IDS_LIMIT = 1 << 20
_PAGES_LIMIT = 1 << 20
_MEGAHERTZ = 1_000_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a GPU is, all of it the driver's memory: a sleeping GPU is not woken. "" where the driver does not say.
    `unique_id` are 16 hexadecimal digits; `firmware` are versions by what it runs on (smc, mec, vcn), as the driver
    writes them."""

    unique_id: str
    serial: str
    product: str
    part_number: str
    vbios: str
    firmware: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Clock:
    """The levels of a clock in hertz, lowest first, and the one that it runs at, None where none is marked."""

    levels: tuple[int, ...]
    current: int | None


def parse_unique_id(data: bytes) -> str:
    """16 hexadecimal digits, or "" for none: a GPU without one has no such file or zero in it. Raises ParseError."""
    try:
        number = int(data.strip(), 16)
    except ValueError:
        raise ParseError(f"unique_id: {data[:40]!r}") from None
    if not 0 <= number < 1 << 64:
        raise ParseError(f"unique_id: {data[:40]!r}")
    return f"{number:016x}" if number else ""


def parse_clock(data: bytes) -> Clock:
    """pp_dpm_sclk: `1: 800Mhz *` a level; S is a sleep that is no level. Raises ParseError."""
    levels, current = [], None
    for line in data.splitlines():
        match = _LEVEL.match(line)
        if match is None:
            raise ParseError(f"clock level: {line[:60]!r}")
        hertz = int(match[1]) * _MEGAHERTZ
        if not line.startswith((b"S", b"s")):
            levels.append(hertz)
        if match[2]:
            current = hertz
    return Clock(tuple(sorted(levels)), current)


def parse_error_counts(data: bytes) -> dict[str, int]:
    """ras/*_err_count: `ue: 0`, `ce: 3`, since Linux 6.9 `de: 0`, by type. Raises ParseError."""
    counts = {}
    for line in data.splitlines():
        match = _COUNT.match(line)
        if match is None:
            raise ParseError(f"error count: {line[:60]!r}")
        counts[_ERROR_TYPES[match[1]]] = int(match[2])
    return counts


def parse_bad_pages(data: bytes) -> dict[str, int]:
    """ras/gpu_vram_bad_pages: `0x00000001 : 0x00001000 : R` a page; how many by state. Raises ParseError."""
    counts = dict.fromkeys(_PAGE_STATES.values(), 0)
    for line in data.splitlines():
        match = _PAGE.match(line)
        if match is None:
            raise ParseError(f"bad page: {line[:60]!r}")
        counts[_PAGE_STATES[match[1].upper()]] += 1
    return counts


def parse_market_names(data: bytes, device: int) -> dict[int, str]:
    """libdrm's amdgpu.ids: `74A1,\\t00,\\tAMD Instinct MI300X` a line; the names of one device by revision."""
    names = {}
    prefix = f"{device:04X},".encode()
    for line in data.splitlines():
        if line[:5].upper() == prefix:
            fields = [field.strip() for field in line.split(b",", 2)]
            try:
                names[int(fields[1], 16)] = fields[2].decode("utf-8", "replace")
            except (ValueError, IndexError):
                continue
    return names


def read_amd_gpu(roots: RootPaths, address: str) -> PciDevice | None:
    """The function at an address, where it is an AMD GPU."""
    if read_int(roots.sys("bus/pci/devices", address, "vendor")) != AMD:
        return None
    function = read_pci(roots, address, {})
    return function if function is not None and function.kind == "gpu" else None


def read_market_name(roots: RootPaths, device: int, revision: int | None) -> str:
    """What a shop calls the GPU, by libdrm's list where the host has it, or ""."""
    data = read_optional(roots.root("/usr/share/libdrm/amdgpu.ids"), _IDS_LIMIT)
    names = {} if data is None else parse_market_names(data, device)
    return names.get(revision if revision is not None else -1, next(iter(names.values()), ""))


def read_identity(directory: str) -> Identity:
    """Nothing is raised: what cannot be read is ""."""

    def text(name: str) -> str:
        return read_text(os.path.join(directory, name))

    try:
        unique_id = parse_unique_id(text("unique_id").encode() or b"0")
    except ParseError:
        unique_id = ""
    return Identity(
        unique_id=unique_id,
        serial=text("serial_number"),
        product=text("product_name"),
        part_number=text("product_number"),
        vbios=text("vbios_version"),
        firmware=_read_firmware(os.path.join(directory, "fw_version")),
    )


def read_partitioning(directory: str) -> tuple[str, str]:
    """How the GPU's processors are shared out (SPX, DPX, TPX, QPX, CPX) and its memory (NPS1...), "" where not."""
    modes = [read_text(os.path.join(directory, f"current_{kind}_partition")) for kind in ("compute", "memory")]
    return modes[0].upper(), modes[1].upper()


def read_clock(directory: str, name: str) -> Clock:
    """One of pp_dpm_{sclk,mclk,socclk,fclk}; empty where it cannot be read or is not understood."""
    data = read_optional(os.path.join(directory, f"pp_dpm_{name}"))
    try:
        return Clock((), None) if data is None else parse_clock(data)
    except ParseError:
        return Clock((), None)


def read_error_counts(directory: str) -> Mapping[str, Mapping[str, int]]:
    """Errors by the block that they were in (umc is the memory) and type, where the GPU counts them. Raises
    ParseError."""
    counts = {}
    for name in list_directory(os.path.join(directory, "ras")):
        if name.endswith("_err_count"):
            data = read_optional(os.path.join(directory, "ras", name))
            if data is not None:
                counts[name.removesuffix("_err_count")] = parse_error_counts(data)
    return counts


def read_bad_pages(directory: str) -> dict[str, int]:
    """Pages out of use by state; empty for a GPU without such a list. Raises ParseError."""
    try:
        return parse_bad_pages(read_file(os.path.join(directory, "ras", "gpu_vram_bad_pages"), _PAGES_LIMIT))
    except ReadError:
        return {}


def _read_firmware(directory: str) -> tuple[tuple[str, str], ...]:
    """amdgpu_ucode.c: 0x00000000 is firmware that this GPU does not have."""
    suffix = "_fw_version"
    versions = (
        (name.removesuffix(suffix), read_text(os.path.join(directory, name)))
        for name in list_directory(directory)
        if name.endswith(suffix)
    )
    return tuple((name, version) for name, version in versions if version.strip("0x"))
