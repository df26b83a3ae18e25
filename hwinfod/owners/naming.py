# SPDX-License-Identifier: MIT
"""What an owner is called: its id, its labels, its name for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.owners.identity import CONTAINER, JOB, KERNEL, POD, SESSION, UNIT, USER, VM, Owner

if TYPE_CHECKING:
    from hwinfod.core.owner import ContainerName

_SHORT_ID = 12
_DIGEST = 64
_LONGEST = 200


def id_of(owner: Owner) -> str:
    """Stable while the owner lives, unique on this host: kind and what its scheduler calls it."""
    parts = {
        POD: (owner.pod_uid, owner.container_id and owner.container_id[:_SHORT_ID]),
        CONTAINER: (owner.runtime, owner.container_id and owner.container_id[:_SHORT_ID]),
        VM: (owner.runtime, owner.container_id),
        JOB: (owner.runtime, owner.job_id),
        UNIT: (owner.user, owner.unit),
        SESSION: (owner.user, owner.unit),
        USER: (owner.user,),
    }.get(owner.kind or "", ())
    return ":".join(["" if part is None else part for part in (owner.kind or "nobody", *parts)])[:_LONGEST]


def labels_of(owner: Owner, name: ContainerName | None) -> tuple[str, ...]:
    """The values of core.owner.LABELS: owner, kind, namespace, pod, container, job_id, unit."""
    namespace = name.namespace if name else ""
    pod = name.pod if name else ""
    container = name.container if name else ""
    if not container and owner.kind in (CONTAINER, VM):
        container = _short(owner.container_id or "")
    label = label_of(owner, namespace, pod, container)
    values = (label, owner.kind or "", namespace, pod, container, owner.job_id or "", owner.unit or "")
    return tuple(value[:_LONGEST] for value in values)


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
        return owner.unit or owner.kind
    if owner.kind == USER:
        return f"user {owner.user or '?'}"
    return KERNEL if owner.kind == KERNEL else "nobody"
