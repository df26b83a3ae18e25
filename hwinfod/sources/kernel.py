# SPDX-License-Identifier: MIT
"""The kernel that runs: release, build, machine, how it was booted.

Source: Documentation/admin-guide/sysctl/kernel.rst, uname(2). The files are those of the host that `path.procfs`
names; the machine type has a file since Linux 6.1.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.sources.files import read_text

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths


@dataclass(frozen=True, slots=True)
class Kernel:
    """ "" for what cannot be read. `version` is the build ("#51-Ubuntu SMP ..."), `machine` as uname(1) says it."""

    hostname: str
    release: str
    version: str
    machine: str
    boot_id: str


def read_kernel(roots: RootPaths) -> Kernel:
    return Kernel(
        hostname=read_text(roots.proc("sys/kernel/hostname")),
        release=read_text(roots.proc("sys/kernel/osrelease")),
        version=read_text(roots.proc("sys/kernel/version")),
        machine=read_text(roots.proc("sys/kernel/arch")) or os.uname().machine,
        boot_id=read_text(roots.proc("sys/kernel/random/boot_id")),
    )
