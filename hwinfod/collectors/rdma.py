# SPDX-License-Identifier: MIT
"""RDMA: ports, counters and links every second, who holds which objects every few seconds.

This file is what every host loads; what reads RDMA is imported where there is some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._rdma_families import CHECKS, METRICS, SATURATED
from hwinfod.core.collector import Collector, beat
from hwinfod.errors import Absent
from hwinfod.sources.files import list_directory

if TYPE_CHECKING:
    from hwinfod.collectors._rdma_reader import Reader

__all__ = ["CHECKS", "METRICS", "Rdma"]


class Rdma(Collector):
    name = "rdma"
    summary = "RDMA ports, counters, links, objects and who holds them"
    lane = "rdma"
    in_node_exporter = True
    beyond_node_exporter = frozenset(m for m in METRICS if not m.name.startswith("hw_rdma_port_")) | {SATURATED}
    subsystems = frozenset({"infiniband", "module", "pci"})

    def open(self) -> None:
        if not list_directory(self.roots.sys("class", "infiniband")):
            raise Absent("no RDMA devices")
        from hwinfod.collectors._rdma_reader import Reader

        self.reader: Reader = Reader(self)

    def close(self) -> None:
        self.reader.close()

    @beat(seconds=1)
    def sample(self) -> None:
        self.reader.sample()

    @beat(seconds=5)
    def resources(self) -> None:
        """A scan that takes more than its share of this tick goes on in the next ones of `sample`."""
        self.reader.scan()

    @beat(seconds=1)
    def pauses(self) -> None:
        """The network driver asks its firmware for these: an interval of their own, to be made longer."""
        self.reader.pauses.sample()

    @beat(seconds=10)
    def facts(self) -> None:
        self.reader.follow()
