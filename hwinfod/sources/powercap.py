# SPDX-License-Identifier: MIT
"""RAPL through powercap: energy that processor packages, their cores and their memory have used.

Source: Documentation/power/powercap/powercap.rst, drivers/powercap/intel_rapl_common.c (AMD too). The counter is
readable by root only since Linux 5.10 (CVE-2020-8694).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.sources.files import Attribute, list_directory, parse_int, read_int, read_text

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

# intel-rapl:0 is a package or the platform, intel-rapl:0:1 a part of it. intel-rapl-mmio counts the same packages
# once more, through other registers.
_ZONE = re.compile(r"intel-rapl:\d+(?::\d+)?\Z")
_PACKAGE = re.compile(r"package-(\d+(?:-die-\d+)?)\Z")
DOMAINS = ("package", "core", "uncore", "dram", "psys")


@dataclass(frozen=True, slots=True)
class RaplZone:
    """One counter. `domain` is one of DOMAINS; `package` the socket it belongs to ("0", "1-die-1" where a package has
    several), "" for the platform; the counter starts again at 0 after `range_microjoules`."""

    name: str
    domain: str
    package: str
    range_microjoules: int


class EnergyReader:
    """The counter of one zone."""

    __slots__ = ("_file",)

    def __init__(self, roots: RootPaths, zone: RaplZone) -> None:
        self._file = Attribute(roots.sys("class/powercap", zone.name, "energy_uj"))

    def read(self) -> int:
        """Microjoules, between 0 and the zone's range. Raises ReadError (Denied for anyone but root), ParseError."""
        return parse_int(self._file.read())

    def close(self) -> None:
        self._file.close()


def read_zones(roots: RootPaths) -> list[RaplZone]:
    """All counters; none where there is no RAPL, as in most virtual machines."""
    base = roots.sys("class/powercap")
    names = [name for name in list_directory(base) if _ZONE.match(name)]
    packages = {name: _PACKAGE.match(read_text(os.path.join(base, name, "name"))) for name in names}
    zones = []
    for name in names:
        match = packages[name] or packages.get(name.rpartition(":")[0])
        domain = "package" if packages[name] else read_text(os.path.join(base, name, "name"))
        range_ = read_int(os.path.join(base, name, "max_energy_range_uj"))
        if domain in DOMAINS and range_ is not None and range_ > 0:
            zones.append(RaplZone(name, domain, match[1] if match else "", range_))
    return zones


def energy_between(before: int, after: int, range_: int) -> int:
    """Microjoules used from one reading to the next, the counter having wrapped at most once.

    The kernel gives the largest value the counter takes as its range, so that the one after it is 0.
    """
    return after - before if after >= before else after - before + range_ + 1
