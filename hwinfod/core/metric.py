# SPDX-License-Identifier: MIT
"""What a metric is: declared once, beside the collector that fills it; every face derives from it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(enum.Enum):
    """How a value behaves. An `INFO` of a device has no column: it is rendered from
    its Device record."""

    GAUGE = "gauge"
    COUNTER = "counter"
    STATE = "state"
    INFO = "info"


class Level(enum.IntEnum):
    """From which level on a series is exported. Everything is recorded and in the API."""

    CORE = 0
    STANDARD = 1
    DETAILED = 2

    @classmethod
    def parse(cls, text: str) -> Level:
        """The level of a name as operators write it. Raises ValueError."""
        try:
            return cls[text.upper()]
        except KeyError:
            raise ValueError(f"unknown level; one of {', '.join(cls.names())}") from None

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(level.name.lower() for level in cls)


# Base units of Prometheus, spelled as in names: https://prometheus.io/docs/practices/naming/
UNITS = frozenset(
    {
        "", "amperes", "bytes", "celsius", "hertz", "joules", "packets", "ratio", "seconds",
        "timestamp_seconds", "volts", "watts", "bytes_per_second", "transfers_per_second",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One family. Metrics are singletons: compared by identity, found by name through the catalog.

    `unit` is the base unit and a suffix of the name; `help` one sentence; `source` the kernel file, netlink
    attribute or vendor call behind it; `labels` the closed set of label names; `states` (kind STATE only)
    what the small integer in the column stands for; `aside`, by label, the values whose series are of level detailed
    whatever the family's level is, because few people want them.
    """

    name: str
    kind: Kind
    help: str
    source: str
    unit: str = ""
    labels: tuple[str, ...] = ()
    level: Level = Level.STANDARD
    states: tuple[str, ...] = ()
    aside: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stem = self.name.removesuffix("_total")
        problems = [
            problem
            for problem, wrong in (
                ("name must be snake_case and start with hw_ or hwinfod_ or process_", not _is_name(self.name)),
                ("a counter ends in _total, nothing else does",
                 (self.kind is Kind.COUNTER) != self.name.endswith("_total")),
                ("an info ends in _info, nothing else does",
                 (self.kind is Kind.INFO) != self.name.endswith("_info")),
                (f"unit {self.unit!r} is not a base unit", self.unit not in UNITS),
                (f"unit {self.unit!r} must end the name", not _ends_in(stem, self.unit)),
                ("a state needs its states, nothing else has them", (self.kind is Kind.STATE) != bool(self.states)),
                ("help must be one sentence, closed by a full stop", not self.help.endswith(".")),
                ("source is missing", not self.source),
                ("labels named job, instance or node belong to Prometheus",
                 bool({"job", "instance", "node"} & set(self.labels))),
                ("only values of its own labels can be set aside", not self.aside.keys() <= set(self.labels)),
            )
            if wrong
        ]  # fmt: skip
        if problems:
            raise ValueError(f"metric {self.name}: {'; '.join(problems)}")

    def level_of(self, labels: tuple[str, ...]) -> Level:
        """The level of the series with these label values."""
        for name, values in self.aside.items():
            if labels[self.labels.index(name)] in values:
                return Level.DETAILED
        return self.level


def _ends_in(stem: str, unit: str) -> bool:
    """The name of `process_start_time_seconds` is that of Prometheus' own client libraries."""
    is_start = (stem, unit) == ("process_start_time_seconds", "timestamp_seconds")
    return not unit or is_start or stem.endswith(f"_{unit}")


def _is_name(name: str) -> bool:
    prefix_ok = name.startswith(("hw_", "hwinfod_", "process_"))
    return prefix_ok and name.isascii() and name.replace("_", "a").isalnum() and name == name.lower()
