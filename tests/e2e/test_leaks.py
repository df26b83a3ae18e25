# SPDX-License-Identifier: MIT
"""Twenty thousand seconds of a host whose interfaces come and go: the process stays as large as it was.

The real collectors, wrapper, ring, events and renderer, in this process, by a clock that is moved: five hours pass
in seconds. Each device has a name that was never there before, as each container's veth has.
"""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import psutil

from hwinfod.collectors.load import Load
from hwinfod.collectors.network import Network
from hwinfod.core.catalog import catalog_of
from hwinfod.core.host import Host as SampledHost
from hwinfod.core.metric import Level
from hwinfod.core.ring import Ring
from hwinfod.core.runner import Runner
from hwinfod.serve.exposition import Renderer, Selection
from hwinfod.serve.exposition_lines import Format
from hwinfod.settings import Settings, Table
from hwinfod.sources.files import Roots
from tests.fixtures.host import MINIMAL, Host
from tests.unit.core.builders import FakeClock

_KINDS = (Load, Network)
_TICKS = 20_000
_WARM = 5_000  # the ring is full, and each cache has met its bound
_LIFE = 7  # seconds that a device stays


class Churn:
    """A host with collectors, and a list of interfaces that is written anew every second."""

    def __init__(self, directory: Path) -> None:
        host = Host(directory, shape=MINIMAL, seed=1)
        self._file = Path(host.procfs, "net/dev")
        self._text = self._file.read_text()
        self.clock = FakeClock()
        ring = Ring(1 << 20, 3600)
        self.host = SampledHost(
            self.clock, Roots(host.procfs, host.sysfs, host.rootfs), ring, catalog_of(_KINDS)
        )  # fmt: skip
        settings = Settings.of(Table([setting for kind in _KINDS for setting in kind.settings]))
        self.runners = [Runner(kind, self.host, settings, kind.beats()) for kind in _KINDS]
        self.host.runners = {runner.name: runner for runner in self.runners}
        self._renderer = Renderer(self.host)

    def tick(self, number: int) -> None:
        self.clock.advance(1.0)
        alive = range(number - number % 3, number - number % 3 + _LIFE)
        self._file.write_text(self._text + "".join(f"veth{n}: {'1 ' * 16}\n" for n in alive))
        for runner in self.runners:
            for method, seconds in runner.intervals.items():
                if number % int(seconds) == 0:
                    runner.run(method)
        if number % 15 == 0:
            self._renderer.render(Format.TEXT, Selection(Level.DETAILED))

    def newest(self) -> int:
        """The number of the last interface that the collector knows."""
        (table,) = (t for runner in self.runners for t in runner.tables.values() if t.name == "network.virtual")
        assert table.latest
        names = [series.labels[0] for series in table.latest.layout.columns if series]
        return max(int(name.removeprefix("veth")) for name in names if name.startswith("veth"))

    def size(self) -> dict[str, int]:
        """What must not grow."""
        gc.collect()
        process = psutil.Process()
        return {
            "resident KiB": process.memory_info().rss >> 10,
            "objects": len(gc.get_objects()),
            "series": len(self.host.series),
            "devices": len(self.host.devices.current),
            "threads": threading.active_count(),
            "descriptors": process.num_fds(),
        }


_ALLOWED = {"resident KiB": 4096, "objects": 2000, "series": 200, "devices": 0, "threads": 0, "descriptors": 2}


def test_devices_that_come_and_go_leave_nothing(tmp_path: Path) -> None:
    churn = Churn(tmp_path / "host")
    for number in range(_WARM):
        churn.tick(number)
    warm = churn.size()
    for number in range(_WARM, _TICKS):
        churn.tick(number)
    growth = {name: value - warm[name] for name, value in churn.size().items()}
    assert {name: value for name, value in growth.items() if value > _ALLOWED[name]} == {}, (warm, growth)
    assert churn.newest() >= _TICKS - 10, "nothing came, and nothing went"
    assert [runner.health.failures for runner in churn.runners] == [0] * len(_KINDS)
    for runner in churn.runners:
        runner.close()
