# SPDX-License-Identifier: MIT
"""/v1/owners, /v1/owners/{id}, /v1/gpus/{uuid}/owners, /v1/rdma/{device}/owners: who holds which hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.serve.api.context import allow_only
from hwinfod.serve.http import problems
from hwinfod.serve.http.problems import Problem
from hwinfod.serve.viewer import ANOTHER_USER

if TYPE_CHECKING:
    from hwinfod.core.host import Host
    from hwinfod.core.owner import OwnerRecord
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.messages import Request, Response
    from hwinfod.serve.http.router import Router
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire import Owner, Owners


def add_routes(router: Router, api: ApiContext) -> None:
    host = api.host

    def owners(request: Request) -> Response:
        allow_only(request, ())
        viewer = api.viewer(request)
        return api.reply(request, viewer, lambda: dict(_owners(host, viewer)))

    def owner(request: Request, id: str) -> Response:  # noqa: A002  the path's word
        allow_only(request, ())
        viewer = api.viewer(request)
        found = host.attribution.owners.get(id)
        if found is None or not _may_see(viewer, found):
            raise Problem(problems.NOT_FOUND, "no owner has this id; /v1/owners lists them")
        return api.reply(request, viewer, lambda: dict(owner_record(host, viewer, found)))

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
            raise Problem(problems.NOT_FOUND, f"no {kind} has this id; /v1/devices?kind={kind} lists them")
        return api.reply(request, viewer, lambda: dict(_owners(host, viewer, device)))

    router.add("GET", "/v1/owners", owners)
    router.add("GET", "/v1/owners/{id}", owner)
    router.add("GET", "/v1/gpus/{uuid}/owners", of_gpu)
    router.add("GET", "/v1/rdma/{device}/owners", of_rdma)


def _owners(host: Host, viewer: Viewer, device: str = "") -> Owners:
    """All owners, or those of one device. What is unattributed is everyone's to know."""
    attribution = host.attribution
    records = [
        record
        for record in attribution.owners.values()
        if not device or any(holder.device == device for holder in record.holders)
    ]
    return {
        "owners": [owner_record(host, viewer, record) for record in records],
        "unattributed_bytes": {
            id_: int(rest) for id_, rest in attribution.unattributed_bytes.items() if device in ("", id_)
        },
        "blind": list(attribution.blind),
    }


def _may_see(viewer: Viewer, record: OwnerRecord) -> bool:
    return viewer.sees_all or (record.uid != -1 and viewer.sees_user(record.uid))


def owner_record(host: Host, viewer: Viewer, record: OwnerRecord) -> Owner:
    """An owner as the viewer may see it: of somebody else's work, how much of which device and nothing more."""
    seen = _may_see(viewer, record)
    kind, namespace, pod, container, job_id, unit = record.labels[1:] if seen else ("",) * 6
    since = (record.since_boottime_ns + host.clock.wall_offset_ns()) / 1e9
    return {
        "id": record.id if seen else "",
        "owner": record.label if seen else ANOTHER_USER,
        "kind": kind,
        "namespace": namespace,
        "pod": pod,
        "container": container,
        "job_id": job_id,
        "unit": unit,
        "uid": record.uid if seen and record.uid >= 0 else None,
        "identity": dict(record.identity) if seen else {},
        "since_seconds": round(since, 3) if seen else None,
        "devices": [
            {
                "device": device,
                "name": known.name if (known := host.devices.current.get(device)) else device,
                "kind": known.kind if known else "",
                "amounts": record.totals(device),
                "processes": [
                    {"pid": h.pid, "name": h.name, "uid": h.uid, "amounts": dict(h.amounts)}
                    for h in record.holders
                    if h.device == device
                ]
                if seen
                else [],
            }
            for device in dict.fromkeys(holder.device for holder in record.holders)
        ],
    }
