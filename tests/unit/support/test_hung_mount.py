# SPDX-License-Identifier: MIT
"""A call that hangs does hang, and is woken again."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import psutil
import pytest

from tests.fixtures.host import MINIMAL, Host
from tests.support.hung_mount import HungMount, hang
from tests.support.processes import Program, running

pytestmark = pytest.mark.tier("fuse")

READ = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)
print("open", flush=True)
try:
    os.read(fd, 10)
except OSError as error:
    sys.exit(error.errno)
"""
STATFS = "import os, sys; os.statvfs(sys.argv[1])"


def test_a_read_hangs_until_it_is_released(tmp_path: Path) -> None:
    host = Host(tmp_path, shape=MINIMAL)
    with hang(host, "proc/loadavg") as hung:
        with running(Program([sys.executable, "-c", READ, f"{host.procfs}/loadavg"])) as reader:
            hung.wait_for_caller()
            assert reader.output() == "open\n"
            host.advance(60.0)
            assert hung.callers == 1
            hung.release()
            assert reader.process.wait(60) == errno.EIO
        assert hung.callers == 0
    assert Path(host.procfs, "loadavg").read_text().count(" ") == 4


def test_a_killed_caller_sleeps_in_d_state(tmp_path: Path) -> None:
    with HungMount.over(tmp_path) as hung, running(Program([sys.executable, "-c", STATFS, tmp_path])) as caller:
        hung.wait_for_caller()
        caller.process.kill()
        caller.wait_until(lambda: psutil.Process(caller.pid).status() == psutil.STATUS_DISK_SLEEP, "D state")
        assert caller.process.poll() is None
        hung.release()
        caller.process.wait(60)
    assert os.statvfs(tmp_path).f_bsize > 0
