# SPDX-License-Identifier: MIT
"""What is counted of a runtime's socket, whichever API it speaks."""

from __future__ import annotations

from hwinfod.core.metric import Kind, Level, Metric

_LABELS = ("collector", "socket")
_SOURCE = "the API at the socket"

UP = Metric(
    name="hwinfod_runtime_up",
    kind=Kind.GAUGE,
    help="Whether a runtime or kubelet answers at its socket: 1 or 0. No value where there is no socket.",
    source=_SOURCE,
    labels=_LABELS,
)
CONTAINERS = Metric(
    name="hwinfod_runtime_containers",
    kind=Kind.GAUGE,
    help="Containers that a runtime lists, running or not; of the kubelet, containers that it gave devices.",
    source=_SOURCE,
    labels=_LABELS,
    level=Level.DETAILED,
)
EVENTS = Metric(
    name="hwinfod_runtime_events_total",
    kind=Kind.COUNTER,
    help="Messages about containers that came through a runtime's event stream.",
    source=_SOURCE,
    labels=_LABELS,
    level=Level.DETAILED,
)
LOST = Metric(
    name="hwinfod_runtime_connections_lost_total",
    kind=Kind.COUNTER,
    help="How often a runtime or kubelet stopped answering at its socket.",
    source=_SOURCE,
    labels=_LABELS,
    level=Level.DETAILED,
)
FAMILIES = (UP, CONTAINERS, EVENTS, LOST)
