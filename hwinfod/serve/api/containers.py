# SPDX-License-Identifier: MIT
"""/v1/containers: every container that the cgroups, the runtimes or the files of names tell of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.core.container import Container as Told
from hwinfod.core.owner import ContainerName
from hwinfod.serve.api.context import allow_only
from hwinfod.serve.api.owners import devices_of
from hwinfod.serve.api.usage import may_see, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hwinfod.core.account import Account
    from hwinfod.core.host import Host
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.messages import Request, Response
    from hwinfod.serve.http.router import Router
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire.owners import Container, Containers

_KINDS = ("pod", "container")
_UNTOLD = "unknown"  # Container.state


class _Known(NamedTuple):
    """One container: its account where it has a cgroup, and what its runtime and the files of names tell."""

    id: str
    account: Account | None
    told: Told


def add_routes(router: Router, api: ApiContext) -> None:
    host = api.host

    def containers(request: Request) -> Response:
        allow_only(request, ())
        viewer = api.viewer(request)
        return api.reply(request, viewer, lambda: dict(_containers(host, viewer)))

    router.add("GET", "/v1/containers", containers)


def _containers(host: Host, viewer: Viewer) -> Containers:
    known = list(_known(host))
    shown = [
        _record(host, one)
        for one in known
        if viewer.sees_all or (one.account is not None and may_see(host, viewer, one.account.id))
    ]
    shown.sort(key=lambda one: (one["namespace"], one["pod"], one["container"], one["id"], one["owner_id"]))
    blind = [why for names in host.names.current.values() for why in names.blind]
    return {"containers": shown, "others": len(known) - len(shown), "blind": blind}


def _known(host: Host) -> Iterator[_Known]:
    """Those with cgroups first. What runtimes and files tell of a container is said of the one whose cgroup the host
    named: a user may call his own cgroups as another's container is called, and what he says is said of his own."""
    told = _told(host)
    claims = {
        (user, name.container_id): name
        for source in host.names.current.values()
        for user, names in source.claims.items()
        for name in names
    }
    for account in host.accounting.owners.values():
        id_ = account.identity.get("container_id", "")
        if id_ and account.labels[1] in _KINDS:
            unknown = Told(ContainerName(id_, ""), account.identity.get("runtime", ""))
            if account.territory:
                own = claims.get((account.user, id_))
                yield _Known(id_, account, unknown if own is None else replace(unknown, name=own))
            else:
                yield _Known(id_, account, told.pop(id_, unknown))
    for id_, container in told.items():
        yield _Known(id_, None, container)


def _told(host: Host) -> dict[str, Told]:
    """By id. A runtime knows its containers; files have the names of those whose runtime may not be asked."""
    told = {one.id: one for containers in host.containers.current.values() for one in containers}
    for source in host.names.current.values():
        for name in source.containers:
            known = told.get(name.container_id, Told(name, ""))
            full = ContainerName(*(a or b for a, b in zip(known.name, name, strict=True)))
            told[name.container_id] = replace(known, name=full)
    return told


def _record(host: Host, known: _Known) -> Container:
    account, told = known.account, known.told
    owner, _, namespace, pod, container = account.labels[:5] if account is not None else ("",) * 5
    owner_id = account.id if account is not None else ""
    usage = usage_of(host, owner_id)
    return {
        "id": known.id,
        "owner_id": owner_id,
        "owner": owner,
        "namespace": namespace or told.name.namespace,
        "pod": pod or told.name.pod,
        "container": container or told.name.container,
        "pod_uid": told.name.pod_uid or (account.identity.get("pod_uid", "") if account is not None else ""),
        "image": told.name.image,
        "runtime": told.runtime or (account.identity.get("runtime", "") if account is not None else ""),
        "state": "running" if told.state == _UNTOLD and usage["values"].get("pids") else told.state,
        "exit_code": told.exit_code,
        "pid": told.pid,
        "created_seconds": told.created_ns / 1e9 if told.created_ns else None,
        "is_sandbox": told.is_sandbox,
        "cgroups": list(account.cgroups) if account is not None else [],
        "devices": devices_of(host, owner_id, seen=True),
        "device_nodes": [node.path for node in told.device_nodes],
        "visible_devices": list(told.visible_devices),
        "may_open_all_devices": told.may_open_all_devices,
        "usage": usage,
    }
