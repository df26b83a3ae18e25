# SPDX-License-Identifier: MIT
"""Thermal zones: what the kernel's own thermal control watches, and from which temperature on it acts.

Source: Documentation/driver-api/thermal/sysfs-api.rst. A zone's temperature may come from ACPI or i2c: it may sleep.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.sources.files import Attribute, list_directory, list_inodes, parse_int, read_int, read_text
from hwinfod.sources.hwmon import to_base_unit

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

_ZONE = re.compile(r"thermal_zone\d+\Z")
_TRIP = re.compile(r"trip_point_(\d+)_type\Z")
_PER_DEGREE = 1000
# Zones without a reading of their own answer with this: include/linux/thermal.h THERMAL_TEMP_INVALID.
_INVALID = -274_000


@dataclass(frozen=True, slots=True)
class ThermalZone:
    """`name` is the kernel's number (thermal_zone0), `type` what it watches (x86_pkg_temp, acpitz);
    `critical_celsius` where the kernel shuts the machine down, None where it does not say; `is_in_hwmon` for a
    zone whose temperature hwmon shows as well."""

    name: str
    type: str
    critical_celsius: float | None
    is_in_hwmon: bool


class ZoneReader:
    """The temperature of one zone."""

    __slots__ = ("_file",)

    def __init__(self, roots: RootPaths, zone: ThermalZone) -> None:
        self._file = Attribute(roots.sys("class/thermal", zone.name, "temp"))

    def read(self) -> float | None:
        """Degrees Celsius, None for a zone that has none now. Raises ReadError, ParseError."""
        raw = parse_int(self._file.read())
        return None if raw <= _INVALID else to_base_unit(raw, _PER_DEGREE)

    def close(self) -> None:
        self._file.close()


def list_zones(roots: RootPaths) -> dict[str, int]:
    """The zones, each with what changes when another zone gets the name."""
    return {name: inode for name, inode in list_inodes(roots.sys("class/thermal")).items() if _ZONE.match(name)}


def read_zone(roots: RootPaths, name: str) -> ThermalZone:
    """The facts of one zone. What cannot be read is missing; nothing is raised."""
    directory = roots.sys("class/thermal", name)
    entries = list_directory(directory)
    critical = None
    for trip in filter(None, map(_TRIP.match, entries)):
        if read_text(os.path.join(directory, trip[0])) == "critical":
            raw = read_int(os.path.join(directory, f"trip_point_{trip[1]}_temp"))
            critical = None if raw is None or raw <= 0 else raw / _PER_DEGREE
    return ThermalZone(
        name=name,
        type=read_text(os.path.join(directory, "type")),
        critical_celsius=critical,
        is_in_hwmon=any(entry.startswith("hwmon") for entry in entries),
    )
