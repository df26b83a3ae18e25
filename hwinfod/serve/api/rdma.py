# SPDX-License-Identifier: MIT
"""/v1/rdma: devices with their ports, what went wrong on them, and who holds which of their objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors import _rdma_families as families
from hwinfod.serve.api.context import COMMAND_LINES, allow_only, wire_value
from hwinfod.serve.api.rdma_holders import resources_of
from hwinfod.serve.http import problems
from hwinfod.serve.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hwinfod.core.codec import Value
    from hwinfod.core.device import Device
    from hwinfod.core.host import Host
    from hwinfod.core.metric import Metric
    from hwinfod.core.series import Series
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.messages import Request, Response
    from hwinfod.serve.http.router import Router
    from hwinfod.wire import WireValue
    from hwinfod.wire.rdma import RdmaCount, RdmaDevice, RdmaDevices, RdmaPort

_HOUR_NS = 3600 * 10**9
_COUNTERS_OFF = "counters_off"
_SINGLE = tuple(metric for metric, _ in families.SINGLE)


def add_routes(router: Router, api: ApiContext) -> None:
    host = api.host

    def devices(request: Request) -> Response:
        allow_only(request, ())
        return api.reply(request, api.viewer(request), lambda: dict(_devices(host)))

    def device(request: Request, device: str) -> Response:
        allow_only(request, ())
        viewer = api.viewer(request)
        found = _find(host, device)
        return api.reply(request, viewer, lambda: dict(_device(host, found, _Latest(host))))

    def resources(request: Request, device: str) -> Response | Awaitable[Response]:
        allow_only(request, (COMMAND_LINES,))
        viewer = api.viewer(request)
        found = _find(host, device)
        return api.reply_of_processes(
            request, viewer, lambda command_of: dict(resources_of(host, viewer, found, command_of))
        )

    router.add("GET", "/v1/rdma", devices)
    router.add("GET", "/v1/rdma/{device}", device)
    router.add("GET", "/v1/rdma/{device}/resources", resources)


class _Latest:
    """The fresh values of the collector by metric, and by labels within it."""

    def __init__(self, host: Host) -> None:
        self._ring = host.ring
        self._hour_ago_ns = host.clock.wall_ns() - _HOUR_NS
        self._by_metric: dict[str, dict[tuple[str, ...], tuple[str, Series, Value]]] = {}
        for table in host.fresh_tables():
            if table.collector != "rdma" or table.latest is None:
                continue
            for series, value in zip(table.latest.layout.columns, table.latest.values):
                if series is not None and value is not None:
                    found = self._by_metric.setdefault(series.metric.name, {})
                    found[series.labels] = (table.name, series, value)

    def value(self, metric: Metric, *labels: str) -> Value:
        found = self._by_metric.get(metric.name, {}).get(labels)
        return found[2] if found else None

    def state(self, metric: Metric, *labels: str) -> str:
        """The state's name, "" where it is not known."""
        value = self.value(metric, *labels)
        return metric.states[value] if isinstance(value, int) else ""

    def by_last_label(self, metric: Metric, *labels: str) -> dict[str, WireValue]:
        """The values of the series that have these labels and one more, by that one."""
        return {
            own[-1]: wire_value(value)
            for own, (_, _, value) in self._by_metric.get(metric.name, {}).items()
            if own[:-1] == labels
        }

    def counts(self, metric: Metric, *labels: str) -> dict[str, RdmaCount]:
        return {
            own[-1]: self._count(table, series, value)
            for own, (table, series, value) in self._by_metric.get(metric.name, {}).items()
            if own[:-1] == labels
        }

    def count(self, metric: Metric, *labels: str) -> RdmaCount:
        found = self._by_metric.get(metric.name, {}).get(labels)
        return self._count(*found) if found else {"total": None, "last_hour": None}

    def _count(self, table: str, series: Series, value: Value) -> RdmaCount:
        """A counter that stands lower than an hour ago began anew; what it shows came since."""
        before = self._ring.first(table, series, self._hour_ago_ns)
        if value is None or before is None:
            return {"total": wire_value(value), "last_hour": None}
        return {"total": wire_value(value), "last_hour": wire_value(value - before if value >= before else value)}


def _find(host: Host, name: str) -> Device:
    """By name or id; of several that had a name, the one that is here. Raises Problem."""
    devices = [device for device in _rdma_devices(host) if name in (device.name, device.id)]
    if not devices:
        raise Problem(problems.NOT_FOUND, "no RDMA device has this name", hint="hwinfoctl rdma; /v1/rdma")
    return min(devices, key=lambda device: (device.status.value != "present", -device.status_since_wall_ns))


def _rdma_devices(host: Host) -> list[Device]:
    """Devices proper: the record of the whole system has the kind too, and no name of a device."""
    found = [d for d in host.devices.current.values() if d.kind == "rdma" and "device" in d.facts]
    return sorted(found, key=lambda device: (device.name, device.id))


def _devices(host: Host) -> RdmaDevices:
    latest = _Latest(host)
    system = host.devices.current.get("rdma")
    return {
        "netns_mode": system.facts.get("netns_mode", "") if system else "",
        "devices": [_device(host, device, latest) for device in _rdma_devices(host)],
    }


def _device(host: Host, device: Device, latest: _Latest) -> RdmaDevice:
    ports = [d for d in host.devices.current.values() if d.parent == device.id and d.kind == "rdma port"]
    return {
        "id": device.id,
        "name": device.name,
        "status": device.status.value,
        "status_since_seconds": device.status_since_wall_ns / 1e9,
        "facts": dict(device.facts),
        "resources": latest.by_last_label(families.RESOURCES, device.name),
        "counters": latest.by_last_label(families.HW_COUNTER, device.name, ""),
        "ports": [_port(port, latest) for port in sorted(ports, key=lambda p: int(p.facts["port"]))],
    }


def _port(port: Device, latest: _Latest) -> RdmaPort:
    labels = (port.facts["device"], port.facts["port"])
    up = latest.value(families.UP, *labels)
    return {
        "id": port.id,
        "port": int(port.facts["port"]),
        "status": port.status.value,
        "up": None if up is None else bool(up),
        "state": latest.state(families.STATE, *labels),
        "physical_state": latest.state(families.PHYSICAL_STATE, *labels),
        "rate_bytes_per_second": wire_value(latest.value(families.RATE, *labels)),
        "facts": {name: fact for name, fact in port.facts.items() if name != _COUNTERS_OFF},
        "counters_off": port.facts.get(_COUNTERS_OFF, "").split(),
        "totals": {metric.name: wire_value(latest.value(metric, *labels)) for metric in _SINGLE},
        "link_transitions": latest.count(families.LINK_TRANSITIONS, *labels),
        "errors": latest.counts(families.ERRORS, *labels),
        "retransmits": latest.counts(families.RETRANSMITS, *labels),
        "congestion": latest.counts(families.CONGESTION, *labels),
        "counters": latest.by_last_label(families.HW_COUNTER, *labels),
    }
