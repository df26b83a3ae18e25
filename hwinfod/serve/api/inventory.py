# SPDX-License-Identifier: MIT
"""/v1, /v1/devices, /v1/metrics, /v1/collectors, /v1/config: what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod._version import VERSION
from hwinfod.core.supervisor import busy_seconds
from hwinfod.serve.api.context import allow_only, one
from hwinfod.serve.http import problems
from hwinfod.serve.http.problems import Problem
from hwinfod.wire import API_VERSION, FEATURES

if TYPE_CHECKING:
    from hwinfod.core.device import Device
    from hwinfod.core.health import Sampled
    from hwinfod.core.host import Host
    from hwinfod.core.table import Table
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.messages import Request, Response
    from hwinfod.serve.http.router import Router
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire.devices import DeviceList, DeviceRecord
    from hwinfod.wire.samples import MetricList
    from hwinfod.wire.status import Collectors, CollectorState, Config, Index, SettingRecord, TableState


def add_routes(router: Router, api: ApiContext) -> None:
    host = api.host

    def index(request: Request) -> Response:
        allow_only(request, ())
        return api.reply(request, api.viewer(request), lambda: dict(_index(host)))

    def devices(request: Request) -> Response:
        allow_only(request, ("kind", "status"))
        kind, status = one(request, "kind"), one(request, "status")
        viewer = api.viewer(request)
        return api.reply(request, viewer, lambda: dict(_devices(host, viewer, kind, status)))

    def device(request: Request, id: str) -> Response:  # noqa: A002  the path's word
        allow_only(request, ())
        viewer = api.viewer(request)
        found = host.devices.current.get(id)
        if found is None:
            raise Problem(problems.NOT_FOUND, "no device has this id", hint="hwinfoctl devices; /v1/devices")
        return api.reply(request, viewer, lambda: dict(device_record(host, viewer, found)))

    def metrics(request: Request) -> Response:
        allow_only(request, ())
        return api.reply(request, api.viewer(request), lambda: dict(_metrics(host)))

    def collectors(request: Request) -> Response:
        allow_only(request, ())
        return api.reply(request, api.viewer(request), lambda: dict(_collectors(host)))

    def config(request: Request) -> Response:
        allow_only(request, ())
        viewer = api.viewer(request)
        if not viewer.sees_all:
            raise Problem(problems.FORBIDDEN, "the configuration is shown to root and the group hwinfod")
        return api.reply(request, viewer, lambda: dict(_config(api)))

    router.add("GET", "/v1", index)
    router.add("GET", "/v1/devices", devices)
    router.add("GET", "/v1/devices/{id}", device)
    router.add("GET", "/v1/metrics", metrics)
    router.add("GET", "/v1/collectors", collectors)
    router.add("GET", "/v1/config", config)


def _index(host: Host) -> Index:
    return {
        "name": "hwinfod",
        "version": VERSION,
        "api": API_VERSION,
        "features": list(FEATURES),
        "instance": host.instance,
    }


def _devices(host: Host, viewer: Viewer, kind: str, status: str) -> DeviceList:
    return {
        "devices": [
            device_record(host, viewer, device)
            for device in sorted(host.devices.current.values(), key=lambda d: (d.kind, d.name, d.id))
            if kind in ("", device.kind) and status in ("", device.status.value)
        ]
    }


def device_record(host: Host, viewer: Viewer, device: Device) -> DeviceRecord:
    """A device as the viewer may see it: serial numbers that the kernel keeps for root are kept for root here."""
    hidden = frozenset() if viewer.sees_all else device.private
    return {
        "id": device.id,
        "kind": device.kind,
        "name": device.name,
        "status": device.status.value,
        "parent": device.parent,
        "version": device.version,
        "collector": host.devices.reporter(device.id),
        "facts": {name: fact for name, fact in device.facts.items() if name not in hidden},
        "first_seen_seconds": device.first_seen_wall_ns / 1e9,
        "status_since_seconds": device.status_since_wall_ns / 1e9,
    }


def _metrics(host: Host) -> MetricList:
    counts: dict[str, int] = {}
    filled: dict[str, str] = {}  # of those that fill a family, as vendors of GPUs do, the first that does here
    for table in host.fresh_tables():
        for series in table.latest.layout.columns if table.latest else ():
            if series is not None:
                counts[series.metric.name] = counts.get(series.metric.name, 0) + 1
                filled.setdefault(series.metric.name, table.collector)
    return {
        "metrics": [
            {
                "name": metric.name,
                "kind": metric.kind.value,
                "unit": metric.unit,
                "help": metric.help,
                "labels": list(metric.labels),
                "states": list(metric.states),
                "level": metric.level.name.lower(),
                "aside": {label: sorted(values) for label, values in metric.aside.items()},
                "source": metric.source,
                "collector": filled.get(metric.name, collector),
                "series": counts.get(metric.name, 0),
            }
            for metric, collector in host.catalog.values()
        ]
    }


def _collectors(host: Host) -> Collectors:
    return {"collectors": [collector_state(host, runner) for runner in host.runners.values()]}


def collector_state(host: Host, runner: Sampled) -> CollectorState:
    health = runner.health
    last = health.last_success_wall_ns
    return {
        "name": health.name,
        "summary": runner.summary,
        "lane": health.lane,
        "state": health.state.value,
        "reason": health.reason,
        "stuck": health.stuck,
        "step": health.step if health.busy_since is not None else "",
        "busy_seconds": busy_seconds(runner, host.clock.monotonic()),
        "runs": health.runs,
        "failures": health.failures,
        "overruns": health.overruns,
        "duration_seconds": health.duration_seconds,
        "cpu_seconds": health.cpu_seconds,
        "last_success_seconds": None if last is None else last / 1e9,
        "skipped": dict(health.skipped),
        "tables": [_table_state(host, table) for table in runner.tables.values()],
    }


def _table_state(host: Host, table: Table) -> TableState:
    row = table.latest
    now = host.clock.boottime_ns()
    return {
        "name": table.name,
        "interval_seconds": table.interval_seconds,
        "sequence": 0 if row is None else row.sequence,
        "columns": 0 if row is None else len(row.layout),
        "age_seconds": None if row is None else (now - row.boottime_ns) / 1e9,
        "fresh": row is not None and now <= table.expires_ns(),
    }


def _config(api: ApiContext) -> Config:
    settings = api.settings
    records: list[SettingRecord] = [
        {"key": str(item["key"]), "value": item["value"], "origin": str(item["origin"])} for item in settings.redacted()
    ]
    return {
        "settings": records,
        "files": list(settings.files),
        "warnings": [str(warning) for warning in settings.warnings],
    }
