# SPDX-License-Identifier: MIT
"""EDAC: memory errors by controller and by DIMM.

Source: Documentation/admin-guide/RAS/main.rst, drivers/edac/edac_mc_sysfs.c. Counts are since the driver was loaded
or somebody reset them; they are the kernel's memory.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.sources.files import list_directory, read_int, read_text

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

_CONTROLLER = re.compile(r"mc\d+\Z")
_DIMM = re.compile(r"(?:dimm|rank)\d+\Z")
_CSROW = re.compile(r"csrow\d+\Z")
_CHANNEL = re.compile(r"ch(\d+)_ce_count\Z")
_BYTES_PER_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Dimm:
    """One memory module, or a rank or channel where the controller knows no better. `name` is the kernel's (dimm3,
    rank1, csrow0.ch1); `label` what is printed on the board, where firmware or an administrator told; the counts are
    files below the controller: a csrow counts uncorrected errors of all its channels, so that these have none."""

    name: str
    label: str
    location: str
    size_bytes: int | None
    memory_type: str
    corrected_file: str
    uncorrected_file: str


@dataclass(frozen=True, slots=True)
class Controller:
    """One memory controller. `name` is the kernel's (mc0), `model` the driver's name for it."""

    name: str
    model: str
    size_bytes: int | None
    dimms: tuple[Dimm, ...]


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """None where the count cannot be read or the layout has none."""

    corrected: int | None
    uncorrected: int | None


def list_controllers(roots: RootPaths) -> list[str]:
    return [name for name in list_directory(roots.sys("devices/system/edac/mc")) if _CONTROLLER.match(name)]


def read_controller(roots: RootPaths, name: str) -> Controller:
    """One controller with its modules, in the layout of DIMMs or, before Linux 3.6 and in some drivers, of csrows.
    What cannot be read is missing; nothing is raised."""
    directory = roots.sys("devices/system/edac/mc", name)
    entries = list_directory(directory)
    dimms = [_read_dimm(directory, entry) for entry in entries if _DIMM.match(entry)]
    if not dimms:
        dimms = [dimm for entry in entries if _CSROW.match(entry) for dimm in _read_csrow(directory, entry)]
    size = read_int(os.path.join(directory, "size_mb"))
    return Controller(
        name=name,
        model=read_text(os.path.join(directory, "mc_name")),
        size_bytes=None if size is None else size * _BYTES_PER_MEBIBYTE,
        dimms=tuple(sorted(dimms, key=lambda dimm: _natural(dimm.name))),
    )


def read_errors(roots: RootPaths, controller: str, dimm: Dimm | None = None) -> ErrorCounts:
    """The counts of a controller, or of one of its modules."""
    base = roots.sys("devices/system/edac/mc", controller)
    if dimm is None:
        return ErrorCounts(_read_count(base, "ce_count"), _read_count(base, "ue_count"))
    return ErrorCounts(_read_count(base, dimm.corrected_file), _read_count(base, dimm.uncorrected_file))


def _read_dimm(controller: str, name: str) -> Dimm:
    directory = os.path.join(controller, name)
    size = read_int(os.path.join(directory, "size"))
    return Dimm(
        name=name,
        label=read_text(os.path.join(directory, "dimm_label")),
        location=read_text(os.path.join(directory, "dimm_location")),
        size_bytes=None if size is None else size * _BYTES_PER_MEBIBYTE,
        memory_type=read_text(os.path.join(directory, "dimm_mem_type")),
        corrected_file=f"{name}/dimm_ce_count",
        uncorrected_file=f"{name}/dimm_ue_count",
    )


def _read_csrow(controller: str, name: str) -> list[Dimm]:
    """The channels of one chip-select row. Its `size_mb` is that of all of them together."""
    directory = os.path.join(controller, name)
    matches = [match for match in map(_CHANNEL.match, list_directory(directory)) if match]
    size = read_int(os.path.join(directory, "size_mb"))
    return [
        Dimm(
            name=f"{name}.ch{match[1]}",
            label=read_text(os.path.join(directory, f"ch{match[1]}_dimm_label")),
            location=f"csrow {name.removeprefix('csrow')} channel {match[1]}",
            size_bytes=None if size is None else size * _BYTES_PER_MEBIBYTE // len(matches),
            memory_type=read_text(os.path.join(directory, "mem_type")),
            corrected_file=f"{name}/{match[0]}",
            uncorrected_file=f"{name}/ue_count" if len(matches) == 1 else "",
        )
        for match in matches
    ]


def _read_count(base: str, file: str) -> int | None:
    """A count; the kernel's are unsigned, and what is not is no count."""
    number = read_int(os.path.join(base, file)) if file else None
    return None if number is None or number < 0 else number


def _natural(name: str) -> list[int | str]:
    """dimm2 before dimm10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
