# SPDX-License-Identifier: MIT
"""The JSON API on the Unix socket: `/v1/...`. One file a subject; each adds its routes to the router."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.serve.api import (
    baseline,
    containers,
    events,
    gpus,
    inventory,
    open_nodes,
    owners,
    processes,
    rdma,
    samples,
    series,
    status,
    stream,
    topology,
)

if TYPE_CHECKING:
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.router import Router

_SUBJECTS = (
    inventory,
    baseline,
    status,
    samples,
    series,
    events,
    stream,
    owners,
    containers,
    open_nodes,
    processes,
    rdma,
    gpus,
    topology,
)


def add_routes(router: Router, api: ApiContext) -> None:
    """All routes of the API."""
    for subject in _SUBJECTS:
        subject.add_routes(router, api)
