# SPDX-License-Identifier: MIT
"""Processor frequency: now, its bounds, and who decides.

Reading the frequency of an idle processor can take 20 ms, because the kernel wakes it or sleeps between two
looks at its counters; nothing that has a beat to keep may do this.
Source: Documentation/admin-guide/pm/cpufreq.rst, "Policy Interface in sysfs".
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.sources.files import list_directory, read_int, read_text

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

_POLICY = re.compile(r"policy\d{1,5}\Z")


@dataclass(frozen=True, slots=True)
class Policy:
    """Processors that change frequency together. The bounds are those set now (by people, governors and
    firmware); `hardware_*` are what the processor can do."""

    name: str
    cpus: tuple[int, ...]
    driver: str
    governor: str
    minimum_hertz: int | None
    maximum_hertz: int | None
    hardware_minimum_hertz: int | None
    hardware_maximum_hertz: int | None


def list_policies(roots: RootPaths) -> tuple[str, ...]:
    """The names of the policies; none in most virtual machines."""
    names = list_directory(roots.sys("devices/system/cpu/cpufreq"))
    return tuple(sorted(filter(_POLICY.match, names), key=lambda name: int(name[6:])))


def read_policy(roots: RootPaths, name: str) -> Policy:
    """The facts of a policy. A file that is missing is a fact that is missing; no processors: the policy
    is gone or all of its processors are offline."""
    directory = _directory(roots, name)
    return Policy(
        name=name,
        cpus=_read_cpus(directory),
        driver=read_text(os.path.join(directory, "scaling_driver")),
        governor=read_text(os.path.join(directory, "scaling_governor")),
        minimum_hertz=_read_hertz(directory, "scaling_min_freq"),
        maximum_hertz=_read_hertz(directory, "scaling_max_freq"),
        hardware_minimum_hertz=_read_hertz(directory, "cpuinfo_min_freq"),
        hardware_maximum_hertz=_read_hertz(directory, "cpuinfo_max_freq"),
    )


def _read_cpus(directory: str) -> tuple[int, ...]:
    """affected_cpus is a list with spaces, of processors online: `0 1 2`."""
    words = read_text(os.path.join(directory, "affected_cpus"), limit=65536).split()
    return tuple(int(word) for word in words if word.isascii() and word.isdigit() and len(word) <= 5)


def read_frequency(roots: RootPaths, name: str) -> int | None:
    """What a policy's processors run at now, in hertz. May sleep.

    scaling_cur_freq is what the driver last asked for or measured, whichever it knows; root's
    cpuinfo_cur_freq asks the hardware, in some drivers through firmware and with a lock held.
    """
    return _read_hertz(_directory(roots, name), "scaling_cur_freq")


def _directory(roots: RootPaths, name: str) -> str:
    return roots.sys("devices/system/cpu/cpufreq", name)


def _read_hertz(directory: str, name: str) -> int | None:
    """All files are in kHz. `<unknown>` and 0 (a processor that does not know) are None."""
    kilohertz = read_int(os.path.join(directory, name))
    return kilohertz * 1000 if kilohertz and kilohertz > 0 else None
