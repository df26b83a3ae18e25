# SPDX-License-Identifier: MIT
"""What a daemon takes whose ring holds an hour of the widest table: the fixture host's 128 processors, ten times as
fast as they are sampled by default, and standing still."""

from __future__ import annotations

import tempfile
import time

from bench.cost import IN_MEMORY, resident_mib
from bench.report import Line
from tests.fixtures.host import Host
from tests.support.daemon import Daemon

_SECONDS = 370


def measure() -> list[Line]:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory:
        host = Host(directory, seed=1)
        with Daemon.start("--collector.cpu.interval=100ms", host=host, tcp=False) as daemon:
            time.sleep(5)
            young = resident_mib(daemon.pid)
            time.sleep(_SECONDS)
            old = resident_mib(daemon.pid)
    note = f"{young:.1f} MiB after 5 s; 3,600 rows of 128 processors"
    return [Line("resident memory, fixture host, an hour of history", old, "MiB", 36, note=note)]
