# SPDX-License-Identifier: MIT
"""Load average. Source: /proc/loadavg, Documentation/filesystems/proc.rst."""

from __future__ import annotations

from hwinfod.core.collector import Collector, beat
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.errors import Absent, Gone
from hwinfod.sources.files import SeqFile
from hwinfod.sources.proc_loadavg import parse_loadavg

_SOURCE = "/proc/loadavg"

LOAD = tuple(
    Metric(
        name=f"hw_load{minutes}",
        kind=Kind.GAUGE,
        help=f"Tasks running or in uninterruptible sleep, averaged over {minutes} minutes.",
        source=_SOURCE,
        level=Level.CORE,
    )
    for minutes in (1, 5, 15)
)


class Load(Collector):
    name = "load"
    summary = "load average"
    in_node_exporter = True

    def open(self) -> None:
        self.file = SeqFile(self.roots.proc("loadavg"))
        try:
            self.file.read()
        except Gone as error:
            raise Absent(str(error)) from None
        self.group = self.table.bind(LOAD)

    @beat(seconds=1)
    def sample(self) -> None:
        load = parse_loadavg(self.file.read())
        self.group.set((load.one_minute, load.five_minutes, load.fifteen_minutes))
