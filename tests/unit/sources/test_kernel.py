# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
from pathlib import Path

from hwinfod.sources.files import Roots
from hwinfod.sources.kernel import read_kernel
from tests.support.sysfs import put


def test_the_host_that_procfs_shows(tmp_path: Path) -> None:
    put(tmp_path / "sys/kernel", {"hostname": "gpu-0417", "osrelease": "6.8.0-51-generic", "arch": "aarch64",
                                  "version": "#52-Ubuntu SMP PREEMPT_DYNAMIC", "random/boot_id": "1f2e"})  # fmt: skip
    kernel = read_kernel(Roots(procfs=str(tmp_path)))
    assert (kernel.hostname, kernel.release, kernel.machine) == ("gpu-0417", "6.8.0-51-generic", "aarch64")
    assert (kernel.version, kernel.boot_id) == ("#52-Ubuntu SMP PREEMPT_DYNAMIC", "1f2e")


def test_what_is_missing(tmp_path: Path) -> None:
    kernel = read_kernel(Roots(procfs=str(tmp_path)))
    assert (kernel.release, kernel.hostname, kernel.machine) == ("", "", os.uname().machine)


def test_the_real_kernel_agrees_with_uname() -> None:
    uname, kernel = os.uname(), read_kernel(Roots())
    assert (kernel.hostname, kernel.release, kernel.version, kernel.machine) == (
        uname.nodename,
        uname.release,
        uname.version,
        uname.machine,
    )
