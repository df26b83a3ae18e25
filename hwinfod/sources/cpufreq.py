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
    """Processors that change frequency together, and between what bounds their hardware can."""

    name: str
    cpus: tuple[int, ...]
    driver: str
    minimum_hertz: int | None
    maximum_hertz: int | None


@dataclass(frozen=True, slots=True)
class PolicyState:
    """What a policy's processors run at, the most that they may (set by people, governors or firmware), and who
    decides. The frequency is what the driver last asked for or measured, whichever it knows."""

    hertz: int | None
    limit_hertz: int | None
    governor: str


def list_policies(roots: RootPaths) -> tuple[str, ...]:
    """The names of the policies; none in most virtual machines."""
    names = list_directory(roots.sys("devices/system/cpu/cpufreq"))
    return tuple(sorted(filter(_POLICY.match, names), key=lambda name: int(name[6:])))


def read_policy(roots: RootPaths, name: str) -> Policy:
    """What stays as it is while the same processors are online. A file that is missing is a fact that is missing;
    no processors: the policy is gone, or all of its processors are offline."""
    directory = _directory(roots, name)
    return Policy(
        name=name,
        cpus=_read_cpus(directory),
        driver=read_text(os.path.join(directory, "scaling_driver")),
        minimum_hertz=_read_hertz(directory, "cpuinfo_min_freq"),
        maximum_hertz=_read_hertz(directory, "cpuinfo_max_freq"),
    )


def read_state(roots: RootPaths, name: str) -> PolicyState:
    """What changes. May sleep.

    Root's cpuinfo_cur_freq would ask the hardware, in some drivers through firmware and with a lock held: not read.
    """
    directory = _directory(roots, name)
    return PolicyState(
        hertz=_read_hertz(directory, "scaling_cur_freq"),
        limit_hertz=_read_hertz(directory, "scaling_max_freq"),
        governor=read_text(os.path.join(directory, "scaling_governor")),
    )


def _read_cpus(directory: str) -> tuple[int, ...]:
    """affected_cpus is a list with spaces, of processors online: `0 1 2`."""
    words = read_text(os.path.join(directory, "affected_cpus"), limit=65536).split()
    return tuple(int(word) for word in words if word.isascii() and word.isdigit() and len(word) <= 5)


def _directory(roots: RootPaths, name: str) -> str:
    return roots.sys("devices/system/cpu/cpufreq", name)


def _read_hertz(directory: str, name: str) -> int | None:
    """All files are in kHz. `<unknown>` and 0 (a processor that does not know) are None."""
    kilohertz = read_int(os.path.join(directory, name))
    return kilohertz * 1000 if kilohertz and kilohertz > 0 else None
