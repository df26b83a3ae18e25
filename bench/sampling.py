# SPDX-License-Identifier: MIT
"""What sampling costs: on the real host against sysstat's sadc, and on the rich fixture host."""

from __future__ import annotations

import gc
import resource
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.cost import IN_MEMORY, cpu_seconds, resident_mib
from bench.report import Line, ratio_line
from hwinfod.core.clock import Clock
from hwinfod.engine import Declared, Engine, discover
from hwinfod.settings import SETTINGS, Settings, Table
from hwinfod.settings.daemon import PROCFS, ROOTFS, SYSFS
from tests.fixtures.host import Host
from tests.support.daemon import Daemon
from tests.support.processes import Program, running

_SADC = "/usr/lib/sysstat/sadc"
_SETTLED_SECONDS = 35  # until what looks for hardware every ten seconds shares a thread
_SECONDS = 20
_ROUNDS = 5
_TICKS = 30


def measure() -> list[Line]:
    return [*_against_sadc(), *_fixture_host()]


def _against_sadc() -> list[Line]:
    """Both sample once a second in the same seconds; sadc is C, reads less, and writes to a file."""
    with tempfile.TemporaryDirectory() as directory, Daemon.start(tcp=False) as ours:
        sadc = Program([_SADC, "-S", "XALL", "1", str(Path(directory, "sa"))])
        with running(sadc):
            time.sleep(_SETTLED_SECONDS)
            ours_each, theirs_each = [], []
            for _ in range(_ROUNDS):
                before = cpu_seconds(ours.pid), cpu_seconds(sadc.pid)
                time.sleep(_SECONDS)
                ours_each.append((cpu_seconds(ours.pid) - before[0]) / _SECONDS)
                theirs_each.append((cpu_seconds(sadc.pid) - before[1]) / _SECONDS)
            resident = resident_mib(ours.pid)
    note = f"ours {median(ours_each) * 1e3:.2f} ms, theirs {median(theirs_each) * 1e3:.2f} ms of CPU a second"
    return [
        ratio_line("CPU at the default beat / sadc -S XALL 1", ours_each, theirs_each, 1.0, note),
        Line("resident memory, this host", resident, "MiB", 36, note="aim 32"),
    ]


def _fixture_host() -> list[Line]:
    """Ticks of all collectors in one thread: 128 CPUs, 24 disks, 10 NICs; files on a disk cost more than kernel
    files do, so that the time in system calls is told apart."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory:
        host = Host(directory, seed=1)
        kinds = discover()
        declared = [Declared.of(kind) for kind in kinds]
        table = Table([*SETTINGS, *(s for item in declared for s in item.settings())])
        paths = {PROCFS: host.procfs, SYSFS: host.sysfs, ROOTFS: host.rootfs}
        engine = Engine(declared, Settings.of(table, paths), Clock())
        engine.start()
        while not engine.settled():
            time.sleep(0.05)
        engine.stop(5)
        runners = [r for r in engine.host.runners.values() if r.kind.lane == "host"]
        user, system = [], []
        for _ in range(_TICKS):
            host.advance(1.0)
            gc.collect()
            before = resource.getrusage(resource.RUSAGE_THREAD)
            for runner in runners:
                for method in runner.intervals:
                    runner.run(method)
            after = resource.getrusage(resource.RUSAGE_THREAD)
            user.append(after.ru_utime - before.ru_utime)
            system.append(after.ru_stime - before.ru_stime)
        columns = sum(len(t.latest.layout) for r in runners for t in r.tables.values() if t.latest)
    note = f"lane host, {columns} columns"
    with Daemon.start(host=host) as daemon:
        time.sleep(5)
        resident = resident_mib(daemon.pid)
    return [
        Line("tick of the fixture host, Python", median(user[5:]) * 1e3, "ms", note=note),
        Line("tick of the fixture host, system calls", median(system[5:]) * 1e3, "ms", note=note),
        Line("resident memory, fixture host", resident, "MiB", 36, note="128 CPUs, 24 disks; after 5 s"),
    ]
