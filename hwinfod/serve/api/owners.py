# SPDX-License-Identifier: MIT
"""/v1/owners, /v1/owners/{id}, /v1/gpus/{uuid}/owners, /v1/rdma/{device}/owners: who holds which
hardware, and who was given which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.serve.api.allocated import allocated_of, only_given, was_given
from hwinfod.serve.api.context import COMMAND_LINES, allow_only
from hwinfod.serve.api.open_nodes import nodes_of
from hwinfod.serve.api.placement import placement_of
from hwinfod.serve.api.titles import titled
from hwinfod.serve.api.usage import may_see, uid_of, usage_of
from hwinfod.serve.command_lines import untold
from hwinfod.serve.http import problems
from hwinfod.serve.http.problems import Problem
from hwinfod.serve.viewer import ANOTHER_USER

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hwinfod.core.account import Account
    from hwinfod.core.grant import Grantee
    from hwinfod.core.host import Host
    from hwinfod.core.owner import OwnerRecord
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.command_lines import CommandOf
    from hwinfod.serve.http.messages import Request, Response
    from hwinfod.serve.http.router import Router
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire.owners import Owner, OwnerDevice, Owners


def add_routes(router: Router, api: ApiContext) -> None:
    host = api.host

    def owners(request: Request) -> Response:
        allow_only(request, ())
        viewer = api.viewer(request)
        return api.reply(request, viewer, lambda: dict(_owners(host, viewer)))

    def owner(request: Request, id: str) -> Response | Awaitable[Response]:  # noqa: A002  the path's word
        allow_only(request, (COMMAND_LINES,))
        viewer = api.viewer(request)
        found = host.attribution.owners.get(id) or host.granted.owners.get(id) or host.accounting.owners.get(id)
        if found is None or not may_see(host, viewer, id):
            raise Problem(problems.NOT_FOUND, "no owner has this id", hint="hwinfoctl owners; /v1/owners")
        return api.reply_of_processes(
            request, viewer, lambda command_of: dict(owner_record(host, viewer, found, command_of))
        )

    def of_gpu(request: Request, uuid: str) -> Response:
        return of_device(request, uuid, "gpu")

    def of_rdma(request: Request, device: str) -> Response:
        known = [d.id for d in host.devices.current.values() if d.kind == "rdma" and device in (d.id, d.name)]
        return of_device(request, known[0] if known else "", "rdma")

    def of_device(request: Request, device: str, kind: str) -> Response:
        allow_only(request, ())
        viewer = api.viewer(request)
        known = host.devices.current.get(device)
        if known is None or known.kind != kind:
            raise Problem(
                problems.NOT_FOUND, f"no {kind} has this id", hint=f"hwinfoctl devices; /v1/devices?kind={kind}"
            )
        return api.reply(request, viewer, lambda: dict(_owners(host, viewer, device)))

    router.add("GET", "/v1/owners", owners)
    router.add("GET", "/v1/owners/{id}", owner)
    router.add("GET", "/v1/gpus/{uuid}/owners", of_gpu)
    router.add("GET", "/v1/rdma/{device}/owners", of_rdma)


def _owners(host: Host, viewer: Viewer, device: str = "") -> Owners:
    """All owners, or those of one device, who has only its node open among them. What is unattributed is everyone's to
    know."""
    attribution = host.attribution
    openers = {holder.owner for holder in attribution.node_holders if device in holder.devices}
    records: list[OwnerRecord | Grantee] = [
        record
        for record in attribution.owners.values()
        if not device
        or record.id in openers
        or was_given(host, record.id, device)
        or any(holder.device == device for holder in record.holders)
    ]
    records += only_given(host, device)
    return {
        "owners": [owner_record(host, viewer, record) for record in records],
        "unattributed_bytes": {id_: n for id_, n in attribution.unattributed_bytes.items() if device in ("", id_)},
        "overstated_bytes": {id_: n for id_, n in attribution.overstated_bytes.items() if device in ("", id_)},
        "blind": [*attribution.blind, *host.granted.blind],
    }


def owner_record(
    host: Host, viewer: Viewer, record: OwnerRecord | Grantee | Account, command_of: CommandOf = untold
) -> Owner:
    """An owner as the viewer may see it: of somebody else's work, how much of which device and nothing more."""
    seen = may_see(host, viewer, record.id)
    held = host.attribution.owners.get(record.id)
    uid = uid_of(host, record.id)
    accounted = host.accounting.owners.get(record.id)
    cgroups = held.cgroups if held is not None else accounted.cgroups if accounted is not None else ()
    began = held or host.granted.owners.get(record.id)
    since = None if began is None else (began.since_boottime_ns + host.clock.wall_offset_ns()) / 1e9
    return {
        "id": record.id if seen else "",
        **titled(record.labels if seen else (ANOTHER_USER, *("",) * 6)),
        "uid": uid if seen and uid >= 0 else None,
        "identity": dict(record.identity) if seen else {},
        "cgroups": list(cgroups) if seen else [],
        "conflicts": list(held.conflicts) if seen and held is not None else [],
        "since_seconds": round(since, 3) if seen and since is not None else None,
        "devices": devices_of(host, record.id, seen=seen, command_of=command_of),
        "allocated": allocated_of(host, record.id, seen=seen),
        "nodes": nodes_of(host, record.id, command_of) if seen else [],
        "placement": placement_of(host, held) if seen and held is not None else [],
        "usage": usage_of(host, record.id if seen else ""),
    }


def devices_of(host: Host, owner_id: str, *, seen: bool, command_of: CommandOf = untold) -> list[OwnerDevice]:
    """What an owner holds, device by device; by which processes is for those who may see the owner."""
    record = host.attribution.owners.get(owner_id)
    if record is None:
        return []
    return [
        {
            "device": device,
            "name": known.name if (known := host.devices.current.get(device)) else device,
            "kind": known.kind if known else "",
            "amounts": record.totals(device),
            "processes": [
                {
                    "pid": h.pid,
                    "name": h.name,
                    "uid": h.uid,
                    "command_line": command_of(h.pid, h.start_time_ticks) if h.pid else None,
                    "amounts": dict(h.amounts),
                }
                for h in record.holders
                if h.device == device
            ]
            if seen
            else [],
        }
        for device in dict.fromkeys(holder.device for holder in record.holders)
    ]
