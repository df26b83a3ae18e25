# SPDX-License-Identifier: MIT
"""What a collector is: one hardware domain, one lane, one or more tables, each with its own beat.

    DEVICE_LABELS = ("device",)
    READ_BYTES = Metric(name="hw_disk_read_bytes_total", kind=Kind.COUNTER, unit="bytes", labels=DEVICE_LABELS, ...)

    class Disks(Collector):
        name = "disks"
        summary = "disk traffic from /proc/diskstats"

        def open(self) -> None:                       # finds the hardware; raises Absent where there is none
            self.disks = Groups(self.table, lambda device: [(READ_BYTES, (device,))])

        @beat(seconds=1)
        def sample(self) -> None:                     # fills self.table; what it does not set is absent
            for device, read_bytes in ...:
                self.disks.set(device, [read_bytes])
            self.disks.sweep()

Nothing else is needed: the wrapper (`runner`) times and counts it, turns exceptions into one log line a change of
state, opens it again when hardware comes; the catalog takes the module's metrics to every face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hwinfod.core.health import Health
    from hwinfod.core.host import Host
    from hwinfod.core.metric import Metric
    from hwinfod.core.table import Table
    from hwinfod.settings import Setting, Settings

    Skip = Callable[[str, object], None]  # Collector.skip, or what puts a device's name before it

MAIN = "sample"

_Method = TypeVar("_Method", bound="Callable[..., None]")


def beat(*, seconds: float) -> Callable[[_Method], _Method]:
    """Marks a method as what fills a table, every so many seconds by default. The method named `sample` fills
    the collector's main table; any other method NAME fills the table COLLECTOR.NAME."""

    def mark(method: _Method) -> _Method:
        method.beat_seconds = seconds  # type: ignore[attr-defined]
        return method

    return mark


@dataclass(frozen=True, slots=True)
class Context:
    """What a collector may use. `host` carries devices, events, holdings, clock and the other collectors' health;
    `command`, which any thread may call, runs something on the collector's lane between two ticks."""

    host: Host
    settings: Settings
    tables: Mapping[str, Table]
    health: Health
    command: Callable[[Callable[[], None]], None]


class Collector:
    """One hardware domain. A new object is made at every opening, so that no state outlives a closing.

    `lane` names the thread that it shares with collectors of the same kind of slowness: `host` is for
    memory-backed kernel files only. `settings` are its own; the switch (by default as `enabled` says) and the
    intervals come by themselves. `in_node_exporter`: node_exporter has these families too with its defaults, under its
    own names, but for those in `beyond_node_exporter`; a textfile leaves them out. `subsystems`: whose kernel events
    (SUBSYSTEM=) announce its hardware.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    lane: ClassVar[str] = "host"
    settings: ClassVar[tuple[Setting[Any], ...]] = ()
    enabled: ClassVar[bool] = True
    in_node_exporter: ClassVar[bool] = False
    beyond_node_exporter: ClassVar[frozenset[Metric]] = frozenset()
    subsystems: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, context: Context) -> None:
        self.context = context
        self.host = context.host
        self.roots = context.host.roots
        self.tables = context.tables

    @property
    def table(self) -> Table:
        """The table that `sample` fills."""
        return self.tables[MAIN]

    def open(self) -> None:
        """Finds the hardware and binds what is fixed. Raises Absent where this host has no such thing."""

    def close(self) -> None:
        """Gives back what `open` took: handles, sockets. Descriptors in kept files close themselves."""

    def step(self, call: str) -> None:
        """Names the call about to be made, for the report if it never returns."""
        self.context.health.step = call

    def skip(self, thing: str, error: object) -> None:
        """One device or file could not be read this tick, and costs only itself: said once while it lasts."""
        self.context.health.skipping[thing] = str(error)

    @classmethod
    def beats(cls) -> dict[str, float]:
        """Method name to default seconds, `sample` first."""
        names = sorted((n for n in dir(cls) if hasattr(getattr(cls, n), "beat_seconds")), key=lambda n: (n != MAIN, n))
        return {name: getattr(cls, name).beat_seconds for name in names}

    @classmethod
    def table_name(cls, method: str) -> str:
        return cls.name if method == MAIN else f"{cls.name}.{method}"
