# SPDX-License-Identifier: MIT
"""What an owner is called: its id, its labels, its name for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.owners.identity import CONTAINER, JOB, KERNEL, POD, SESSION, UNIT, USER, VM, Owner, host_part

if TYPE_CHECKING:
    from hwinfod.core.owner import ContainerName
    from hwinfod.owners.cgroup import Conflict

_SHORT_ID = 12
_DIGEST = 64
_LONGEST = 200


def id_of(owner: Owner) -> str:
    """Stable while the owner lives, unique on this host: kind and what its scheduler calls it. What lies in somebody's
    territory has that behind it: a user may call his cgroups as another one's are called."""
    parts = {
        POD: (owner.pod_uid, owner.container_id and owner.container_id[:_SHORT_ID]),
        CONTAINER: (owner.runtime, owner.container_id and owner.container_id[:_SHORT_ID]),
        VM: (owner.runtime, owner.container_id),
        JOB: (owner.runtime, owner.job_id),
        UNIT: (owner.user, owner.unit),
        SESSION: (owner.user, owner.unit),
        USER: (owner.user,),
    }.get(owner.kind or "", ())
    id_ = ":".join(["" if part is None else part for part in (owner.kind or "nobody", *parts)])[:_LONGEST]
    return id_ if owner.within is None else f"{id_}@{id_of(owner.within)}"


def dispute(conflict: Conflict) -> str:
    """What one hierarchy of cgroups says against the owner that was chosen."""
    return f"{conflict.line.controllers or 'cgroup2'}:{conflict.line.path} is of {id_of(conflict.owner)}"


def labels_of(owner: Owner, name: ContainerName | None) -> tuple[str, ...]:
    """The values of core.owner.LABELS: owner, kind, namespace, pod, container, job_id, unit."""
    namespace = name.namespace if name else ""
    pod = name.pod if name else ""
    container = name.container if name else ""
    if not container and owner.kind in (CONTAINER, VM):
        container = _short(owner.container_id or "")
    titled = _as_scheduled(owner)
    label = label_of(titled, namespace, pod, container)
    outermost = host_part(owner)
    if outermost is not titled:  # what is in there is called as somebody in there likes, as another's too
        around = label_of(outermost, namespace, pod, (name and name.container) or _short(outermost.container_id or ""))
        place = f" of user {outermost.user}" if outermost.user is not None else f" in {around}"[: _LONGEST // 2]
        if outermost.user is not None or around != label:
            label = label[: _LONGEST - len(place)] + place  # whole, however long he made the name
    values = (label, owner.kind or "", namespace, pod, container, owner.job_id or "", owner.unit or "")
    return tuple(value[:_LONGEST] for value in values)


def renumbered(owner: Owner, job_id: str, number: str) -> Owner:
    """The owner with a job, its own or one around it, by the number that users know."""
    return owner._replace(
        job_id=number if owner.job_id == job_id else owner.job_id,
        within=owner.within and renumbered(owner.within, job_id, number),
    )


def _as_scheduled(owner: Owner) -> Owner:
    """Of a container that a batch job started for itself: the job, which is called by its scheduler."""
    while owner.kind == JOB and owner.within is not None and owner.within.job_id == owner.job_id:
        owner = owner.within
    return owner


def _short(container_id: str) -> str:
    """A digest as runtimes list it; a name (LXC, a virtual machine) whole."""
    return container_id[:_SHORT_ID] if len(container_id) == _DIGEST else container_id


def label_of(owner: Owner, namespace: str, pod: str, container: str) -> str:
    """What a person calls it."""
    if owner.kind == POD:
        return f"{namespace}/{pod}" if pod else f"pod {owner.pod_uid or '?'}"
    if owner.kind in (CONTAINER, VM):
        return f"{owner.runtime or owner.kind} {container}".strip()
    if owner.kind == JOB:
        return f"{owner.runtime or 'job'} {owner.job_id or '?'}"
    if owner.kind in (UNIT, SESSION):
        unit = owner.unit or owner.kind
        his = owner.user is not None and unit != f"user@{owner.user}.service"
        return f"{unit} of user {owner.user}" if his else unit  # he may have one of a name that root's has
    if owner.kind == USER:
        return f"user {owner.user or '?'}"
    return KERNEL if owner.kind == KERNEL else "nobody"
