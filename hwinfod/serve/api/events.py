# SPDX-License-Identifier: MIT
"""/v1/events: what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.errors import UserError
from hwinfod.serve.api.context import allow_only, number, one
from hwinfod.serve.viewer import ANOTHER_USER

if TYPE_CHECKING:
    from hwinfod.core.event import Event
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.messages import Request, Response
    from hwinfod.serve.http.router import Router
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire.events import EventRecord, Events

_SEVERITIES = ("info", "warning", "critical")
_DEFAULT_LIMIT = 1000


def add_routes(router: Router, api: ApiContext) -> None:
    host = api.host

    def events(request: Request) -> Response:
        allow_only(request, ("since", "start", "severity", "device", "limit"))
        viewer = api.viewer(request)
        since, start = int(number(request, "since", 0)), number(request, "start", 0)
        limit = int(number(request, "limit", _DEFAULT_LIMIT))
        severity, device = one(request, "severity", "info"), one(request, "device")
        if severity not in _SEVERITIES:
            raise UserError("unknown severity", hint=f"one of {', '.join(_SEVERITIES)}")
        least = _SEVERITIES.index(severity)

        def make() -> Events:
            found = [
                event
                for event in host.events.since(since)
                if event.severity >= least and event.last_wall_ns >= start * 1e9 and device in ("", event.device)
            ]
            return {
                "version": host.events.version,
                "events": [event_record(event, viewer) for event in found[-limit:]] if limit > 0 else [],
            }

        return api.reply(request, viewer, lambda: dict(make()))

    router.add("GET", "/v1/events", events)


def event_record(event: Event, viewer: Viewer) -> EventRecord:
    """An event as the viewer may see it: what happened to a device is everyone's, whose work it hit is not."""
    hidden = bool(event.private) and not viewer.sees_all
    return {
        "id": event.id,
        "version": event.version,
        "kind": event.kind.value,
        "severity": event.severity.name.lower(),
        "text": event.text,
        "device": event.device,
        "owner": ANOTHER_USER if event.owner and not viewer.sees_all else event.owner,
        "attributes": {k: ANOTHER_USER if hidden and k in event.private else v for k, v in event.attributes.items()},
        "count": event.count,
        "first_seconds": event.first_wall_ns / 1e9,
        "last_seconds": event.last_wall_ns / 1e9,
    }
