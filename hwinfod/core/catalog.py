# SPDX-License-Identifier: MIT
"""The catalog: every metric that the loaded collectors declare, by name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hwinfod.core.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hwinfod.core.collector import Collector


def catalog_of(collectors: Iterable[type[Collector]]) -> dict[str, tuple[Metric, str]]:
    """Name to metric and the collector that fills it, in the order of declaration. A metric is declared at module
    level, alone or in a tuple, list or dict. Raises ValueError where two metrics have one name."""
    catalog: dict[str, tuple[Metric, str]] = {}
    for collector in collectors:
        for metric in metrics_of(vars(sys.modules[collector.__module__])):
            known = catalog.setdefault(metric.name, (metric, collector.name))
            if known[0] is not metric:
                raise ValueError(f"{metric.name} is declared twice: for {known[1]} and for {collector.name}")
    return catalog


def metrics_of(namespace: Mapping[str, object]) -> Iterator[Metric]:
    """The metrics among a module's globals."""
    for value in namespace.values():
        if isinstance(value, Metric):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from (item for item in value if isinstance(item, Metric))
        elif isinstance(value, dict):
            yield from (item for item in value.values() if isinstance(item, Metric))
