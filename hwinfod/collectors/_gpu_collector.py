# SPDX-License-Identifier: MIT
"""What collectors of GPUs by files have in common. Every host loads it, and no reader of GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.collector import Collector, beat

if TYPE_CHECKING:
    from typing import Any

    from hwinfod.collectors._gpu_fleet import Fleet


class GpuCollector(Collector):
    """Three clocks: values, what changes seldom, and who uses the GPUs."""

    def find(self) -> Fleet[Any, Any]:
        """Imports the reader where there are such GPUs. Raises Absent where there are none."""
        raise NotImplementedError

    def open(self) -> None:
        self.fleet = self.find()

    def close(self) -> None:
        self.fleet.close()

    @beat(seconds=1)
    def sample(self) -> None:
        self.fleet.sample()

    @beat(seconds=10)
    def facts(self) -> None:
        """What changes seldom: errors, limits, and which GPUs there are."""
        self.fleet.follow()

    @beat(seconds=5)
    def processes(self) -> None:
        """A pass over all processes that takes more than its share of this tick goes on in those of `sample`."""
        self.fleet.hold()
