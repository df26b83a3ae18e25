# SPDX-License-Identifier: MIT
"""Prometheus text 0.0.4 and OpenMetrics 1.0 out of the host's latest rows.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics 1.0 specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, groupby
from typing import TYPE_CHECKING

from hwinfod.core.device import Status
from hwinfod.core.metric import Level
from hwinfod.core.owner import tells_owners
from hwinfod.serve.exposition_lines import Format, Plan, header, sample_prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.core.host import Host
    from hwinfod.core.series import Layout, Series

_MOST_PLANS = 16


@dataclass(frozen=True, slots=True)
class Selection:
    """What of the host is exported: up to which level, which collectors (None: all), and not the families `without`.
    `owners`: series that name owners too. `merged`: another process shows it among its own families."""

    level: Level = Level.STANDARD
    collectors: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    owners: bool = True
    merged: bool = False

    def takes(self, collector: str) -> bool:
        return self.collectors is None or collector in self.collectors

    def shows(self, series: Series) -> bool:
        name = series.metric.name
        if series.level > self.level or name in self.without or (self.merged and is_of_process(name)):
            return False
        return self.owners or not tells_owners(series.metric)


class Renderer:
    """Renders selections of a host. Plans are kept by layout; who caches the bodies asks `version`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._plans: dict[object, Plan] = {}
        self._kept_infos: dict[tuple[Format, Selection], tuple[int, list[str]]] = {}

    def version(self) -> tuple[object, ...]:
        """What a body depends on: equal versions, equal bodies. Changes too when a table's row expires."""
        host = self._host
        fresh = tuple((table.name, table.latest.sequence) for table in host.fresh_tables() if table.latest)
        return (host.instance, host.devices.version, fresh)

    def render(self, form: Format, selection: Selection) -> bytes:
        """The whole exposition: families in the catalog's order, then states and infos. Absent values and expired
        tables are left out."""
        tables = [table for table in self._host.fresh_tables() if selection.takes(table.collector)]
        rows = [row for row in (table.latest for table in tables) if row is not None]
        layouts = tuple(row.layout for row in rows)
        key = (layouts, form, selection)
        plan = self._plans.get(key)
        if plan is None:
            while len(self._plans) >= _MOST_PLANS:
                del self._plans[next(iter(self._plans))]
            plan = self._plans[key] = self._plan(layouts, form, selection)
        parts = plan.render(list(chain.from_iterable(row.values for row in rows)))
        parts += self._infos(form, selection)
        parts.append("# EOF\n" if form is Format.OPENMETRICS else "")
        return "".join(parts).encode()

    def _plan(self, layouts: Sequence[Layout], form: Format, selection: Selection) -> Plan:
        places: dict[str, list[tuple[int, Series]]] = {}
        for place, series in enumerate(chain.from_iterable(layout.columns for layout in layouts)):
            if series is not None and selection.shows(series):
                places.setdefault(series.metric.name, []).append((place, series))
        order = {name: i for i, name in enumerate(self._host.catalog)}
        names = sorted(places, key=lambda name: order.get(name, len(order)))
        return Plan([places[name] for name in names], form)

    def _infos(self, form: Format, selection: Selection) -> list[str]:
        """Info series out of the device records, kept until one of these changes."""
        devices = self._host.devices
        key = (form, selection)
        kept = self._kept_infos.get(key)
        if kept is None or kept[0] != devices.version:
            self._kept_infos[key] = kept = (devices.version, self._render_infos(form, selection))
        return kept[1]

    def _render_infos(self, form: Format, selection: Selection) -> list[str]:
        devices = self._host.devices
        infos = [
            (device.info, device)
            for device in devices.current.values()
            if device.info is not None
            and device.status is not Status.LOST
            and device.info.level <= selection.level
            and device.info.name not in selection.without
            and selection.takes(devices.reporter(device.id))
        ]
        infos.sort(key=lambda pair: (pair[0].name, pair[1].id))
        lines: list[str] = []
        for metric, pairs in groupby(infos, key=lambda pair: pair[0]):
            lines.append(header(metric, form))
            labelled = dict.fromkeys(sample_prefix(metric, device.info_labels()) for _, device in pairs)
            lines += [f"{prefix}1\n" for prefix in labelled]
        return lines


def is_of_process(family: str) -> bool:
    """Whether each Prometheus client has a family of this name, about its own process: two of one name are refused.
    Source: https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics"""
    return family.startswith("process_")


def choose_format(accept: str) -> Format:
    """The format for an Accept header: OpenMetrics 1.0 or 0.0.1 where it is preferred to plain text; plain text
    for anything else. Source: https://prometheus.io/docs/instrumenting/content_negotiation/"""
    best = {Format.TEXT: 0.0, Format.OPENMETRICS: 0.0}
    for clause in accept.split(","):
        media, *parameters = (part.strip().lower() for part in clause.split(";"))
        found = dict(part.partition("=")[::2] for part in parameters)
        quality = _quality(found.get("q", "1"))
        version = found.get("version", "")
        if media == "application/openmetrics-text" and version in ("", "0.0.1", "1.0.0"):
            best[Format.OPENMETRICS] = max(best[Format.OPENMETRICS], quality)
        elif media in ("text/plain", "text/*", "*/*") and version in ("", "0.0.4"):
            best[Format.TEXT] = max(best[Format.TEXT], quality)
    return Format.OPENMETRICS if best[Format.OPENMETRICS] > best[Format.TEXT] else Format.TEXT


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
