# SPDX-License-Identifier: MIT
"""Load average, and since when the host is up. Source: Documentation/filesystems/proc.rst."""

from __future__ import annotations

from hwinfod.core.collector import Collector, beat
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.errors import Absent, Gone
from hwinfod.sources.files import SeqFile
from hwinfod.sources.proc_loadavg import parse_loadavg, parse_uptime

LOAD = tuple(
    Metric(
        name=f"hw_load{minutes}",
        kind=Kind.GAUGE,
        help=f"Tasks running or in uninterruptible sleep, {minutes}-minute average.",
        source="/proc/loadavg",
        level=Level.CORE,
    )
    for minutes in (1, 5, 15)
)
UPTIME = Metric(
    name="hw_uptime_seconds",
    kind=Kind.GAUGE,
    unit="seconds",
    help="Time since the host booted, suspended time included.",
    source="/proc/uptime",
    level=Level.CORE,
)


class Load(Collector):
    """The kernel reckons the averages anew every five seconds: include/linux/sched/loadavg.h, LOAD_FREQ."""

    name = "load"
    summary = "load average, uptime"
    in_node_exporter = True

    def open(self) -> None:
        self.load = SeqFile(self.roots.proc("loadavg"))
        self.uptime = SeqFile(self.roots.proc("uptime"))
        try:
            self.load.read()
        except Gone as error:
            raise Absent(str(error)) from None
        self.group = self.table.bind((*LOAD, UPTIME))

    @beat(seconds=5)
    def sample(self) -> None:
        load = parse_loadavg(self.load.read())
        uptime_seconds = parse_uptime(self.uptime.read())
        self.group.set((load.one_minute, load.five_minutes, load.fifteen_minutes, uptime_seconds))
