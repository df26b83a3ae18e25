# SPDX-License-Identifier: MIT
"""hwinfod-metrics(7) out of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hwinfod._version import RELEASED, VERSION
from hwinfod.core.collector import Collector
from hwinfod.core.metric import Kind, Metric
from tools import roff

_DESCRIPTION = (
    "Every metric that hwinfod can show, by the collector that fills it. What a host does not have is absent from "
    "its metrics, and never zero. Counters end in _total and only grow until the thing they count is reset. A state "
    "is one series for each of its states, 1 for the one that holds, with the label state. An info has the value 1 "
    "and tells in its labels."
)
_LEVELS = (
    "Everything is recorded and in the API. The level of a metric says from when on it is exported to Prometheus: "
    "core, standard (the default) or detailed. A device that is less interesting may be exported at a lower level "
    "than its metric's: a virtual network interface is detailed."
)


def metrics_page(kinds: Iterable[type[Collector]], catalog: Mapping[str, tuple[Metric, str]]) -> str:
    lines = roff.header("hwinfod-metrics", 7, RELEASED, f"hwinfod {VERSION}", "metrics of hwinfod")
    lines += roff.section("Description") + roff.first_paragraph(_DESCRIPTION) + roff.paragraph(_LEVELS)
    lines += roff.section("Metrics")
    for kind in kinds:
        metrics = [metric for metric, collector in catalog.values() if collector == kind.name]
        if metrics:
            lines += roff.subsection(f"{kind.name}: {kind.summary}")
            for metric in metrics:
                lines += roff.tagged(_signature(metric), _body(metric))
    lines += [*roff.section("See also"), ".BR hwinfoctl (1)", ".br", ".BR hwinfod (8)"]
    return roff.page(lines)


def _signature(metric: Metric) -> str:
    labels = [*metric.labels, *(["state"] if metric.kind is Kind.STATE else [])]
    return f"{metric.name}{{{','.join(labels)}}}" if labels else metric.name


def _body(metric: Metric) -> list[str]:
    facts = [metric.kind.value]
    facts += [f"in {metric.unit}"] if metric.unit else []
    facts += [f"level {metric.level.name.lower()}"]
    facts += [f"detailed for {label} {', '.join(sorted(values))}" for label, values in metric.aside.items()]
    facts += [f"one of {', '.join(metric.states)}"] if metric.states else []
    return [
        *roff.sentences(metric.help),
        ".br",
        *roff.filled(f"{'; '.join(facts)}."),
        ".br",
        *roff.filled(f"From {metric.source}."),
    ]
