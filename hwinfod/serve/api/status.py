# SPDX-License-Identifier: MIT
"""/v1/status: what is wrong first, then what a person should learn in five seconds."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from hwinfod._version import VERSION
from hwinfod.core.check import evaluate
from hwinfod.core.device import Status as DeviceStatus
from hwinfod.core.event import Severity
from hwinfod.core.health import State
from hwinfod.core.owner import tells_owners
from hwinfod.core.supervisor import busy_seconds
from hwinfod.serve.api.context import allow_only, labels_of, wire_value
from hwinfod.serve.api.gpus import KIND as GPU
from hwinfod.serve.api.gpus import list_gpus
from hwinfod.sources.files import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hwinfod.core.device import Device
    from hwinfod.core.host import Host
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.messages import Request, Response
    from hwinfod.serve.http.router import Router
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire.status import Problem, Status

_STARTED = time.monotonic()
_OF_A_HANG = "dmesg; a driver that does not return takes a reboot, and no restart of hwinfod helps"
_STATES = {Severity.INFO: "ok", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}


def add_routes(router: Router, api: ApiContext) -> None:
    def status(request: Request) -> Response:
        allow_only(request, ())
        viewer = api.viewer(request)
        return api.reply(request, viewer, lambda: dict(_status(api, viewer)))

    router.add("GET", "/v1/status", status)


def _status(api: ApiContext, viewer: Viewer) -> Status:
    host = api.host
    problems = problems_of(api, viewer)
    worst = max((severity for severity, _ in problems), default=Severity.INFO)
    oldest = host.ring.oldest_wall_ns()
    now = host.clock.wall_ns()
    distribution, kernel = host.devices.current.get("os"), host.devices.current.get("kernel")
    return {
        "state": _STATES[worst],
        "problems": [problem for _, problem in problems],
        "hostname": _hostname(host),
        "operating_system": distribution.name if distribution else "",
        "kernel": kernel.name if kernel else "",
        "version": VERSION,
        "instance": host.instance,
        "time_seconds": now / 1e9,
        "uptime_seconds": host.clock.boottime_ns() / 1e9,
        "daemon_uptime_seconds": time.monotonic() - _STARTED,
        "history_seconds": 0.0 if oldest is None else (now - oldest) / 1e9,
        "collectors": _count(api),
        "faces": api.faces(),
        "viewer": viewer.kind,
    }


def _hostname(host: Host) -> str:
    """The host's name as its kernel tells it: in a container with the host's /proc it is not our own."""
    return read_text(host.roots.proc("sys/kernel/hostname")) or os.uname().nodename


def _count(api: ApiContext) -> dict[str, int]:
    counts = dict.fromkeys((state.value for state in State), 0) | {"stuck": 0}
    for runner in api.host.runners.values():
        counts[runner.health.state.value] += 1
        counts["stuck"] += runner.health.stuck
    return counts


def problems_of(api: ApiContext, viewer: Viewer) -> list[tuple[Severity, Problem]]:
    """Everything that is wrong now, the worst first. What names owners is for those who may see all of them."""
    findings = list(_findings(api, viewer))
    lost = _lost_devices(api.host)
    of_lost: dict[str, list[Problem]] = {device.id: [] for device in lost}
    others = []
    for severity, problem in findings:
        told = of_lost.get(problem["labels"].get("uuid", ""))
        if told is None:
            others.append((severity, problem))
        else:
            told.append(problem)
    found = [*_collector_problems(api), *(_loss(device, of_lost[device.id]) for device in lost), *others]
    return sorted(found, key=lambda pair: -pair[0])


def _findings(api: ApiContext, viewer: Viewer) -> Iterator[tuple[Severity, Problem]]:
    for finding in evaluate(api.host, api.checks):
        if tells_owners(finding.series.metric) and not viewer.sees_all:
            continue
        yield (
            finding.check.severity,
            {
                "check": finding.check.name,
                "severity": finding.check.severity.name.lower(),
                "text": finding.text,
                "remedy": finding.check.remedy,
                "metric": finding.series.metric.name,
                "labels": labels_of(finding.series),
                "value": wire_value(finding.value),
            },
        )


def _collector_problems(api: ApiContext) -> Iterator[tuple[Severity, Problem]]:
    now = api.host.clock.monotonic()
    for runner in api.host.runners.values():
        health = runner.health
        if health.stuck:
            seconds = busy_seconds(runner, now)
            text = f"collector {health.name} hangs in {health.step} for {seconds:.0f} s, its values are withheld"
            yield Severity.CRITICAL, _problem("collector-stuck", Severity.CRITICAL, text, _OF_A_HANG)
        elif health.state is State.FAILING:
            text = f"collector {health.name} fails: {health.reason}"
            yield Severity.WARNING, _problem("collector-failing", Severity.WARNING, text, "journalctl -u hwinfod")


def _lost_devices(host: Host) -> list[Device]:
    gpus = {gpu.id for gpu in list_gpus(host)}
    return [
        device
        for device in host.devices.current.values()
        if device.status is DeviceStatus.LOST and device.missed and (device.kind != GPU or device.id in gpus)
    ]


def _loss(device: Device, findings: list[Problem]) -> tuple[Severity, Problem]:
    """One line for a lost device, with what else is wrong with it as the cause; that it does not answer is none."""
    causes = [finding for finding in findings if finding["check"] != "gpu_down"]
    since = time.strftime("%H:%M:%S", time.localtime(device.status_since_wall_ns // 1_000_000_000))
    text = f"{device.kind} {device.name} is lost since {since}"
    if causes:
        text += ": " + ", ".join(cause["text"].removeprefix(f"GPU {device.facts.get('gpu')}: ") for cause in causes)
    remedy = next((cause["remedy"] for cause in causes if cause["remedy"]), "hwinfoctl events")
    return Severity.CRITICAL, _problem("device-lost", Severity.CRITICAL, text, remedy)


def _problem(check: str, severity: Severity, text: str, remedy: str) -> Problem:
    return {
        "check": check,
        "severity": severity.name.lower(),
        "text": text,
        "remedy": remedy,
        "metric": "",
        "labels": {},
        "value": None,
    }
