# SPDX-License-Identifier: MIT
"""Tests that make network interfaces do so in a namespace of their own, with a /sys that shows it.

    @pytest.mark.tier("netns")
    @isolated
    def test_a_cable_is_pulled() -> None: ...

The test runs again, alone, in a child of unshare(1): neither this machine's interfaces nor its mounts change.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_INSIDE = "HWINFOD_TEST_NETNS"
_ROOT = Path(__file__).parent.parent.parent
_SYS_OF_OUR_OWN = 'mount -t sysfs own /sys && exec "$@"'


def isolated(test: Callable[[], None]) -> Callable[[pytest.FixtureRequest], None]:
    @functools.wraps(test)
    def run(request: pytest.FixtureRequest) -> None:
        if os.environ.get(_INSIDE):
            test()
            return
        command = [
            *("unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", _SYS_OF_OUR_OWN, "sh"),
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", request.node.nodeid),
        ]
        environ = {**os.environ, _INSIDE: "1", "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environ, timeout=120, cwd=_ROOT
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    del run.__wrapped__  # type: ignore[attr-defined]  # pytest must see that it takes `request`
    return run


def ip(*arguments: str) -> str:
    """iproute2's ip, in the namespace that the test runs in."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
