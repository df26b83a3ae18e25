# SPDX-License-Identifier: MIT
"""Who a cgroup belongs to: one immutable record, and how records nest.

A cgroup path is read from the root downwards. Each rule that recognises a directory yields an `Owner`, and
`nest` puts it inside what was found above it. The deepest match wins, with two exceptions that operators
expect: what runs below a container, machine or job is theirs (a unit of the container's own systemd is
nobody's on the host), and a pod or job keeps its name for the containers that it starts itself.
"""

from __future__ import annotations

from typing import NamedTuple

POD = "pod"
CONTAINER = "container"
VM = "vm"
JOB = "job"
UNIT = "unit"
SESSION = "session"
USER = "user"
KERNEL = "kernel"

# A workload was put there by somebody who schedules; the other kinds are merely where systemd keeps things.
_STRENGTH: dict[str | None, int] = {
    None: 0,
    KERNEL: 0,
    USER: 1,
    SESSION: 2,
    UNIT: 2,
    POD: 3,
    CONTAINER: 3,
    VM: 3,
    JOB: 3,
}
WORKLOAD = 3  # the strength of a pod, container, virtual machine or job
_FIRST_ID, _LAST_ID = 2, 8  # Owner.container_id to Owner.unit


class Owner(NamedTuple):
    """Identity by cgroup alone; names come later. A field is None where it does not apply.

    `kind` is one of the constants above. `container_id` is what the runtime calls it: 64 hex digits, or the
    name of an LXC container or a virtual machine. `qos` is the pod's class in lower case. `step` is a batch
    job's part (Slurm step, Nomad task). `user` is a numeric uid in decimal, or a name where only that shows.

    `within` is whose territory this lies in, where there is one: a workload (Docker in LXC, a Slurm node in a
    pod) or a user's (rootless Podman in his slice, whatever he makes below a unit with Delegate=). Directories in
    there were named by that someone, who may call them what he likes: such an id is his claim, and no name of the
    host's own runtime may be given to it.
    """

    kind: str | None = None
    runtime: str | None = None
    container_id: str | None = None
    pod_uid: str | None = None
    qos: str | None = None
    job_id: str | None = None
    step: str | None = None
    unit: str | None = None
    user: str | None = None
    within: Owner | None = None


NOBODY = Owner()
KERNEL_THREAD = Owner(kind=KERNEL)


def strength(owner: Owner) -> int:
    """How much an owner says: 0 nothing, 1 a user, 2 a unit or session, 3 a workload."""
    return _STRENGTH[owner.kind]


def host_part(owner: Owner) -> Owner:
    """The part of an owner that the host itself has named: the outermost territory. For a container that a pod
    starts, the pod's own; for rootless Podman, the user."""
    while owner.within is not None:
        owner = owner.within
    return owner


def claimed_by(uid: int, owner: Owner) -> Owner:
    """A workload whose directory was made where `uid` may make directories: in his territory, whatever it is called.
    Where the host's part is a unit or a user, that tells already whose it is."""
    if owner.within is not None:
        return owner._replace(within=claimed_by(uid, owner.within))
    return nest(Owner(USER, user=str(uid)), owner) if strength(owner) == WORKLOAD else owner


def nest(outer: Owner, inner: Owner) -> Owner:
    """The owner of a directory that `inner` describes, below one that belongs to `outer`."""
    if outer is NOBODY:
        return inner
    if _STRENGTH[inner.kind] < WORKLOAD:
        return _unit_below(outer, inner)
    if _STRENGTH[outer.kind] < WORKLOAD:
        return inner if outer.user is None else inner._replace(user=inner.user or outer.user, within=outer)
    if outer.kind == POD and outer.container_id is None and inner.kind == CONTAINER:
        return outer._replace(runtime=inner.runtime, container_id=inner.container_id)
    return _workload_below(outer, inner)


def _unit_below(outer: Owner, inner: Owner) -> Owner:
    if _STRENGTH[outer.kind] == WORKLOAD:
        return outer
    if outer.unit is None or (outer.unit.startswith("user@") and inner.unit != "init.scope"):
        return inner if outer.user is None else inner._replace(user=outer.user)
    return outer


def _workload_below(outer: Owner, inner: Owner) -> Owner:
    if inner.job_id is not None and inner.job_id == outer.job_id and inner.runtime == outer.runtime:
        return inner._replace(user=inner.user or outer.user, within=outer.within)  # its step
    if _says_nothing_new(outer, inner):
        return outer
    kind = outer.kind if inner.kind == CONTAINER and outer.kind in (POD, JOB) else inner.kind
    return inner._replace(
        kind=kind,
        pod_uid=inner.pod_uid or outer.pod_uid,
        qos=inner.qos if inner.pod_uid else outer.qos,
        job_id=inner.job_id or outer.job_id,
        step=inner.step if inner.job_id else outer.step,
        user=inner.user or outer.user,
        within=outer,
    )


def _says_nothing_new(outer: Owner, inner: Owner) -> bool:
    known = inner.container_id in (None, outer.container_id) and inner.pod_uid in (None, outer.pod_uid)
    return known and inner.job_id is None


def contradict(one: Owner, other: Owner) -> bool:
    """Whether two views of the same process cannot both be right. A view that only says less is no
    contradiction, nor is the workload around the one that the other view sees."""
    if _STRENGTH[one.kind] != _STRENGTH[other.kind] or one == other:
        return False
    if _surrounds(one, other) or _surrounds(other, one):
        return False
    told = [(a, b) for a, b in zip(one[_FIRST_ID:_LAST_ID], other[_FIRST_ID:_LAST_ID], strict=True) if a and b]
    return not told or any(a != b for a, b in told)


def _surrounds(outer: Owner, inner: Owner) -> bool:
    around = inner.within
    while around is not None:
        if around == outer:
            return True
        around = around.within
    return False
