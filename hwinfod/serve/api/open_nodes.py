# SPDX-License-Identifier: MIT
"""/v1/holders: every process with a device node open, for the moment before a driver is reloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.serve.api.context import COMMAND_LINES, allow_only
from hwinfod.serve.viewer import ANOTHER_USER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from hwinfod.core.host import Host
    from hwinfod.core.owner import NodeHolder
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.command_lines import CommandOf
    from hwinfod.serve.http.messages import Request, Response
    from hwinfod.serve.http.router import Router
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire.owners import Holders, OpenNodes

_Memory = dict[tuple[int, int], int]


def add_routes(router: Router, api: ApiContext) -> None:
    host = api.host

    def holders(request: Request) -> Response | Awaitable[Response]:
        allow_only(request, (COMMAND_LINES,))
        viewer = api.viewer(request)
        return api.reply_of_processes(request, viewer, lambda command_of: dict(_holders(host, viewer, command_of)))

    router.add("GET", "/v1/holders", holders)


def nodes_of(host: Host, owner_id: str, command_of: CommandOf) -> list[OpenNodes]:
    """The nodes that the processes of one owner have open."""
    memory = _memory(host)
    own = (holder for holder in host.attribution.node_holders if holder.owner == owner_id)
    return [_record(host, memory, holder, command_of) for holder in own]


def _holders(host: Host, viewer: Viewer, command_of: CommandOf) -> Holders:
    memory = _memory(host)
    seen = [holder for holder in host.attribution.node_holders if viewer.sees_user(holder.uid)]
    hidden = [holder for holder in host.attribution.node_holders if not viewer.sees_user(holder.uid)]
    shown = [_record(host, memory, holder, command_of) for holder in seen]
    shown.sort(key=lambda holder: (-(holder["memory_bytes"] or 0), holder["pid"]))
    begun = host.node_use.boottime_ns
    return {
        "age_seconds": (host.clock.boottime_ns() - begun) / 1e9 if begun else None,
        "hidden_processes": host.node_use.hidden,
        "holders": [*shown, *([_others(memory, hidden)] if hidden else [])],
        "blind": list(host.attribution.blind),
    }


def _memory(host: Host) -> _Memory:
    """What each process holds of all devices, in bytes."""
    memory: _Memory = {}
    for record in host.attribution.owners.values():
        for holder in record.holders:
            if "memory_bytes" in holder.amounts:
                key = (holder.pid, holder.start_time_ticks)
                memory[key] = memory.get(key, 0) + int(holder.amounts["memory_bytes"])
    return memory


def _record(host: Host, memory: _Memory, holder: NodeHolder, command_of: CommandOf) -> OpenNodes:
    owner = host.attribution.owners.get(holder.owner)
    return {
        "pid": holder.pid,
        "process": holder.name,
        "uid": holder.uid,
        "command_line": command_of(holder.pid, holder.start_time_ticks),
        "owner_id": holder.owner,
        "owner": owner.label if owner is not None else "",
        "nodes": list(holder.nodes),
        "devices": list(holder.devices),
        "memory_bytes": memory.get((holder.pid, holder.start_time_ticks)),
    }


def _others(memory: _Memory, hidden: Iterable[NodeHolder]) -> OpenNodes:
    """All that the viewer may not see, as one: that a node is in use is no secret."""
    held = [memory[key] for holder in hidden if (key := (holder.pid, holder.start_time_ticks)) in memory]
    return {
        "pid": 0,
        "process": ANOTHER_USER,
        "uid": -1,
        "command_line": None,
        "owner_id": "",
        "owner": ANOTHER_USER,
        "nodes": sorted({node for holder in hidden for node in holder.nodes}),
        "devices": sorted({device for holder in hidden for device in holder.devices}),
        "memory_bytes": sum(held) if held else None,
    }
