# SPDX-License-Identifier: MIT
"""Series: a metric with label values, interned, with a number that lives as long as anything names it."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.core.metric import Level, Metric


class Series:
    """A metric with its label values, in the order of `metric.labels`. Compared by identity."""

    __slots__ = ("__weakref__", "labels", "level", "metric", "number")

    def __init__(self, number: int, metric: Metric, labels: tuple[str, ...], level: Level) -> None:
        self.number = number
        self.metric = metric
        self.labels = labels
        self.level = level

    def __repr__(self) -> str:
        pairs = ",".join(f"{k}={v}" for k, v in zip(self.metric.labels, self.labels))
        return f"{self.metric.name}{{{pairs}}}"


class SeriesIndex:
    """All living series. Blocks and layouts hold them; what nothing holds is forgotten with its number.

    `dropped` counts the series that a collector left out because its budget was spent.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._living: WeakValueDictionary[tuple[str, tuple[str, ...]], Series] = WeakValueDictionary()

    def intern(self, metric: Metric, labels: tuple[str, ...], level: Level | None = None) -> Series:
        """The one series of this metric and these label values. Raises ValueError on a wrong label count."""
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has labels {metric.labels}, got values {labels}")
        key = (metric.name, labels)
        with self._lock:
            own_level = metric.level_of(labels) if level is None else level
            series = self._living.get(key)
            if series is None:
                series = self._living[key] = Series(next(self._numbers), metric, labels, own_level)
            series.level = own_level
            return series

    def __len__(self) -> int:
        return len(self._living)


class Layout:
    """The columns of a row: which series stands where. Immutable, shared by all rows and blocks that have it."""

    __slots__ = ("_positions", "columns")

    def __init__(self, columns: Iterable[Series | None]) -> None:
        self.columns = tuple(columns)
        self._positions: dict[Series, int] | None = None

    def position(self, series: Series) -> int | None:
        """Where a series stands; None where it does not. The index is built when first asked for."""
        if self._positions is None:
            self._positions = {s: i for i, s in enumerate(self.columns) if s is not None}
        return self._positions.get(series)

    def __len__(self) -> int:
        return len(self.columns)
