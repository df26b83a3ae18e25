# SPDX-License-Identifier: MIT
"""A cgroup with little memory, in which the kernel kills whoever takes more. Needs root (tier memcg).

Source: Documentation/admin-guide/cgroup-v2.rst, and cgroup-v1/memory.rst for hosts that still have it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_V1, _V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
_LIMIT_BYTES = 32 << 20
_TAKE_MORE = "bytearray(256 << 20)"


@contextlib.contextmanager
def small() -> Iterator[Path]:
    """The directory of a new cgroup. Raises OSError where none can be made."""
    base, limit = (_V1, "memory.limit_in_bytes") if (_V1 / "memory.limit_in_bytes").exists() else (_V2, "memory.max")
    group = base / f"hwinfod-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / limit).write_text(str(_LIMIT_BYTES))
        yield group
    finally:
        group.rmdir()


def kill_one(group: Path) -> int:
    """Runs a process that takes more memory than the group has, and gives its pid when the kernel has killed it."""
    swapless = f"test ! -e {group}/memory.swap.max || echo 0 > {group}/memory.swap.max"
    command = f'{swapless}; echo $$ > {group}/cgroup.procs && exec "$0" -c "$1"'
    process = subprocess.Popen(["sh", "-c", command, sys.executable, _TAKE_MORE])
    assert process.wait(60) == -9, f"the kernel let it live: {process.returncode}"
    return process.pid


def lacks() -> str:
    """What is missing for this, "" for nothing."""
    try:
        with small(), open("/dev/kmsg", "rb"):
            return ""
    except OSError:
        return "root that may limit the memory of a cgroup and read /dev/kmsg"
