# SPDX-License-Identifier: MIT
"""/v1/processes/{pid}: whose a process is, and what it holds; of any process of this host."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hwinfod.errors import Denied, Gone, ParseError
from hwinfod.owners.asked import look_up
from hwinfod.serve.api.context import COMMAND_LINES, allow_only, json_bytes
from hwinfod.serve.api.titles import titled
from hwinfod.serve.http import problems
from hwinfod.serve.http.messages import Response
from hwinfod.serve.http.problems import Problem

if TYPE_CHECKING:
    from hwinfod.core.host import Host
    from hwinfod.owners.asked import Asked
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.command_lines import ProcessKey
    from hwinfod.serve.http.messages import Request
    from hwinfod.serve.http.router import Router
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire.owners import Process, ProcessDevice

_LONGEST_PID = 10


def add_routes(router: Router, api: ApiContext) -> None:
    host = api.host

    async def process(request: Request, pid: str) -> Response:
        allow_only(request, (COMMAND_LINES,))
        viewer = api.viewer(request)
        asked = await _look(api, viewer, pid)
        key = (asked.process.pid, asked.process.start_time_ticks)
        command_of = await api.command_lines(request, viewer, [key])
        return Response(200, json_bytes(dict(_record(host, asked, command_of(*key)))), compressible=True)

    router.add("GET", "/v1/processes/{pid}", process)


async def _look(api: ApiContext, viewer: Viewer, pid: str) -> Asked:
    """Raises Problem. Somebody else's process and none at all are the same to who may not see it."""
    found = await api.aside.read([pid], partial(_try, api.host))
    if pid not in found:
        raise Problem(problems.UNAVAILABLE, "the kernel does not tell of this process in time", hint="try again")
    asked = found[pid]
    if asked is None or not viewer.sees_user(asked.process.uid):
        whose = "" if viewer.sees_all else " of yours"
        blind = "; ".join(api.host.attribution.blind) if viewer.sees_all else ""
        raise Problem(problems.NOT_FOUND, f"no process{whose} has this number", hint=blind)
    return asked


def _try(host: Host, pid: str) -> Asked | None:
    """None where no process that may be seen has the number."""
    if not (pid.isascii() and pid.isdigit() and len(pid) <= _LONGEST_PID):
        return None
    try:
        return look_up(host, int(pid))
    except (Gone, Denied, ParseError):
        return None


def _record(host: Host, asked: Asked, command_line: str | None) -> Process:
    process = asked.process
    key = (process.pid, process.start_time_ticks)
    nodes = [h.nodes for h in host.attribution.node_holders if (h.pid, h.start_time_ticks) == key]
    return {
        "pid": process.pid,
        "name": process.name,
        "uid": process.uid,
        "user": asked.user,
        "since_seconds": round((asked.since_boottime_ns + host.clock.wall_offset_ns()) / 1e9, 3),
        "command_line": command_line,
        "owner_id": asked.owner_id,
        **titled(asked.title.labels),
        "identity": dict(asked.title.identity),
        "cgroup": process.cgroup.path,
        "conflicts": list(asked.conflicts),
        "devices": _devices(host, key),
        "nodes": list(*nodes),
    }


def _devices(host: Host, key: ProcessKey) -> list[ProcessDevice]:
    """What one process holds, by the latest pass of attribution."""
    return [
        {
            "device": holder.device,
            "name": known.name if (known := host.devices.current.get(holder.device)) else holder.device,
            "kind": known.kind if known else "",
            "amounts": dict(holder.amounts),
        }
        for record in host.attribution.owners.values()
        for holder in record.holders
        if (holder.pid, holder.start_time_ticks) == key
    ]
