# SPDX-License-Identifier: MIT
"""/v1/gpus: GPUs of all vendors, who uses them, and letting go of the driver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hwinfod.core.device import Status
from hwinfod.core.event import EventKind, Severity
from hwinfod.errors import UserError
from hwinfod.serve.api.context import COMMAND_LINES, allow_only, json_bytes, number, wire_value
from hwinfod.serve.api.gpu_processes import processes_of
from hwinfod.serve.http import problems
from hwinfod.serve.http.messages import Request, Response
from hwinfod.serve.http.problems import Problem
from hwinfod.serve.viewer import ANOTHER_USER

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hwinfod.core.device import Device
    from hwinfod.core.host import Host
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.router import Router
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire import WireValue
    from hwinfod.wire.gpus import Gpu, GpuHold, Gpus

KIND, PARTITION = "gpu", "gpu partition"
ALL = "all"

_LABELS = ("gpu", "uuid")
_PREFIX = "hw_gpu_"
_DEFAULT_SECONDS, _MOST_SECONDS = 600.0, 86400.0
_WAIT_SECONDS, _STEP_SECONDS = 1.0, 0.02

_Values = dict[str, tuple[dict[str, "WireValue"], dict[str, dict[str, "WireValue"]]]]


def add_routes(router: Router, api: ApiContext) -> None:
    host = api.host

    def gpus(request: Request) -> Response:
        allow_only(request, ())
        viewer = api.viewer(request)
        return api.reply(request, viewer, lambda: dict(_gpus(host, viewer)))

    def gpu(request: Request, uuid: str) -> Response:
        allow_only(request, ())
        viewer = api.viewer(request)
        found = _find(host, uuid)
        return api.reply(request, viewer, lambda: dict(_gpu(host, viewer, found, _latest(host))))

    def processes(request: Request, uuid: str) -> Response | Awaitable[Response]:
        allow_only(request, (COMMAND_LINES,))
        viewer = api.viewer(request)
        devices = list_gpus(host) if uuid == ALL else [_find(host, uuid)]
        return api.reply_of_processes(
            request, viewer, lambda command_of: dict(processes_of(host, viewer, devices, command_of))
        )

    async def release(request: Request) -> Response:
        allow_only(request, ("for",))
        seconds = number(request, "for", _DEFAULT_SECONDS)
        _require_change(api, request)
        if not 0 < seconds <= _MOST_SECONDS:
            raise UserError(
                "the driver can be released for some seconds, and for a day at most", hint="for=600 is ten minutes"
            )
        await _release(host, seconds)
        return Response(200, json_bytes(dict(_hold(host))))

    def resume(request: Request) -> Response:
        allow_only(request, ())
        _require_change(api, request)
        host.hold.drop()
        host.events.add(EventKind.GPU_RESUMED, Severity.INFO, "take the GPUs again, as asked for")
        return Response(200, json_bytes(dict(_hold(host))))

    router.add("GET", "/v1/gpus", gpus)
    router.add("POST", "/v1/gpus/release", release)
    router.add("POST", "/v1/gpus/resume", resume)
    router.add("GET", "/v1/gpus/{uuid}", gpu)
    router.add("GET", "/v1/gpus/{uuid}/processes", processes)


def _require_change(api: ApiContext, request: Request) -> None:
    if not api.viewer(request).may_change:
        raise Problem(problems.FORBIDDEN, "only root, or who runs the daemon, may release GPUs")


async def _release(host: Host, seconds: float) -> None:
    """Everyone lets go within a second. Raises Problem (conflict) where a call does not return."""
    reason = "asked for"
    host.hold.take(seconds, reason)
    host.events.add(
        EventKind.GPU_RELEASED,
        Severity.INFO,
        f"let go of the GPUs for {seconds:.0f} s: {reason}",
        key=f"{seconds:.0f} s: {reason}",
        attributes={"seconds": f"{seconds:.0f}"},
    )
    deadline = host.clock.monotonic() + _WAIT_SECONDS
    while host.hold.holding() and host.clock.monotonic() < deadline:
        await asyncio.sleep(_STEP_SECONDS)
    for name in host.hold.holding():
        runner = host.runners.get(name)
        since = None if runner is None else runner.health.busy_since
        if runner is not None and since is not None:
            age = host.clock.monotonic() - since
            raise Problem(
                problems.CONFLICT,
                f"{runner.health.step} has been in flight for {age:.1f} s; the driver is released when it returns",
                hint="hwinfoctl status",
            )


def _hold(host: Host) -> GpuHold:
    return {
        "released": host.hold.is_active,
        "remaining_seconds": round(host.hold.remaining_seconds(), 1),
        "reason": host.hold.reason if host.hold.is_active else "",
        "holding": host.hold.holding(),
    }


def _gpus(host: Host, viewer: Viewer) -> Gpus:
    latest = _latest(host)
    return {"gpus": [_gpu(host, viewer, device, latest) for device in list_gpus(host)], "hold": _hold(host)}


def _gpu(host: Host, viewer: Viewer, device: Device, latest: _Values) -> Gpu:
    values, by_label = latest.get(device.id, ({}, {}))
    return {
        "id": device.id,
        "gpu": device.facts.get("gpu", ""),
        "name": device.name,
        "status": device.status.value,
        "status_since_seconds": device.status_since_wall_ns / 1e9,
        "facts": dict(device.facts),
        "values": values,
        "by_label": by_label,
        "partitions": [
            {"id": part.id, "name": part.name, "status": part.status.value, "facts": dict(part.facts)}
            for part in host.devices.current.values()
            if part.kind == PARTITION and part.parent == device.id
        ],
        "owners": _owners(host, viewer, device),
    }


def _owners(host: Host, viewer: Viewer, device: Device) -> list[str]:
    """Who uses the GPU, each once; what is not the viewer's own has no name."""
    names = {
        record.label if viewer.sees_user(record.uid) else ANOTHER_USER: None
        for record in host.attribution.owners.values()
        if any(holder.device == device.id for holder in record.holders)
    }
    return list(names)


def list_gpus(host: Host) -> list[Device]:
    """By index, then those that never had one. One that is lost is not shown where another one is now: it has got a
    better name, or the board was changed."""
    gpus = [device for device in host.devices.current.values() if device.kind == KIND]
    places = {gpu.facts.get("pci") for gpu in gpus if gpu.status is not Status.LOST}
    found = [gpu for gpu in gpus if gpu.status is not Status.LOST or gpu.facts.get("pci") not in places - {None, ""}]
    return sorted(
        found, key=lambda device: (len(device.facts.get("gpu", "~~~~")), device.facts.get("gpu", ""), device.id)
    )


def _find(host: Host, name: str) -> Device:
    """By id, index or PCI address, which is what the kernel's log and our events of its link have. Raises Problem."""
    devices = list_gpus(host)
    for device in devices:
        if device.id == name:
            return device
    for device in devices:
        if name in (device.facts.get("gpu"), device.facts.get("pci")):
            return device
    raise Problem(problems.NOT_FOUND, "no GPU has this id, index or PCI address", hint="hwinfoctl gpus; /v1/gpus")


def _latest(host: Host) -> _Values:
    """The fresh values of every GPU, by id: those of one series, and those by their further labels."""
    found: _Values = {}
    for table in host.fresh_tables():
        row = table.latest
        for series, value in zip(row.layout.columns, row.values) if row is not None else ():
            if series is None or value is None or series.metric.labels[:2] != _LABELS:
                continue
            values, by_label = found.setdefault(series.labels[1], ({}, {}))
            metric = series.metric
            name = metric.name.removeprefix(_PREFIX)
            shown = metric.states[value] if metric.states and isinstance(value, int) else wire_value(value)
            if len(series.labels) == 2:
                values[name] = shown
            else:
                by_label.setdefault(name, {})["/".join(series.labels[2:])] = shown
    return found
