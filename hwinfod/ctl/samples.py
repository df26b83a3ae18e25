# SPDX-License-Identifier: MIT
"""Samples of the API by metric, for screens that pick a few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl.units import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.wire.samples import Sample


class Latest:
    """The latest values. What the host does not have is None or empty, never 0."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._by_metric: dict[str, list[Sample]] = {}
        for sample in samples:
            self._by_metric.setdefault(sample["metric"], []).append(sample)

    def all(self, metric: str, **labels: str) -> list[Sample]:
        """The samples of a metric that have these label values."""
        found = self._by_metric.get(metric, [])
        return [s for s in found if all(s["labels"].get(k) == v for k, v in labels.items())]

    def value(self, metric: str, **labels: str) -> float | None:
        """The one value, or the first of several."""
        return next(iter(self.values(metric, **labels)), None)

    def values(self, metric: str, **labels: str) -> list[float]:
        numbers = (number(sample["value"]) for sample in self.all(metric, **labels))
        return [value for value in numbers if value is not None]

    def highest(self, metric: str, **labels: str) -> Sample | None:
        """The sample with the highest value."""
        return max(self.all(metric, **labels), key=lambda s: number(s["value"]) or 0.0, default=None)
