# SPDX-License-Identifier: MIT
"""Allocations brought together: what several sources say of the same owner and device becomes one grant. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.core.grant import MIG, MPS, SHARED, TIME_SLICING, WHOLE, Grant
from hwinfod.owners.allocated.given import ALL
from hwinfod.owners.allocated.given import SOURCE as BUNDLE
from hwinfod.owners.allocated.people import id_without_uid
from hwinfod.owners.identity import POD
from hwinfod.owners.naming import id_of
from hwinfod.sources.pod_resources import device_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hwinfod.core.allocation import Allocation, Allocations
    from hwinfod.core.owner import ContainerName
    from hwinfod.owners.allocated.people import People
    from hwinfod.owners.allocated.places import Place, Places
    from hwinfod.owners.identity import Owner

# Who gave it knows best; what stands in a bundle is what came of it. A job's environment is the user's own to change.
_TRUST = {"pod-resources": 0, "checkpoint": 1, "bundle": 2, "slurm": 3}
_REPLICA = "::"  # NVIDIA's plugin: time slicing and MPS
_IDS_OF_GPUS = ("GPU-", "MIG-")


class Given(NamedTuple):
    """An owner and its grants, by device and part. `uid` is -1 where the source does not tell."""

    owner: Owner
    name: ContainerName
    uid: int
    grants: dict[tuple[str, str], Grant]


class Joined(NamedTuple):
    """`owners` by id; `unknown` ids of GPUs, by who told: they are not of this host, or it cannot be told which."""

    owners: dict[str, Given]
    unknown: dict[str, tuple[str, ...]]


def join(
    sources: Mapping[str, Allocations], people: People, places: Places, alive: frozenset[str] | None = None
) -> Joined:
    """All allocations of all sources. `alive` are uids of pods and ids of containers that run, None where nobody knows.
    The kubelet lists pods that have ended, too, until somebody needs their devices (before Kubernetes 1.34, by the
    feature gate KubeletPodResourcesListUseActivePods)."""
    replicas = _count_replicas(sources.values())
    owners: dict[str, Given] = {}
    unknown: dict[str, tuple[str, ...]] = {}
    for source in sorted(sources, key=lambda name: (_TRUST.get(name, len(_TRUST)), name)):
        for allocation in sources[source].allocations:
            owner, name = people.owner_of(allocation, alive or frozenset())
            if alive is not None and owner.pod_uid and owner.pod_uid not in alive:
                continue
            id_ = id_without_uid(name) if owner.kind == POD and not owner.pod_uid else id_of(owner)
            found, missing = _places_of(allocation, places)
            if missing:
                unknown[source] = (*unknown.get(source, ()), *missing)
            if not found:
                continue
            grants = owners.setdefault(id_, Given(owner, name, allocation.uid, {})).grants
            for place, ids in found.items():
                grant = _grant(allocation, place, ids, replicas)
                key = (grant.device, grant.part)
                known = grants.get(key)
                if known is None:
                    grants[key] = grant
                else:
                    sharing = MPS if MPS in (known.sharing, grant.sharing) else known.sharing
                    sources_ = tuple(dict.fromkeys((*known.sources, *grant.sources)))
                    grants[key] = replace(known, sources=sources_, sharing=sharing)
    return Joined(_marked_as_shared(owners), unknown)


def _places_of(allocation: Allocation, places: Places) -> tuple[dict[Place, tuple[str, ...]], list[str]]:
    """The devices, each with the ids that led to it; and the ids of GPUs that led nowhere. Device nodes count where no
    id leads anywhere: they come beside the ids, for a part of a GPU too."""
    if allocation.claim is not None:
        claimed = places.find_claimed(allocation.claim)
        return ({claimed: allocation.device_ids} if claimed else {}), []
    if ALL in allocation.device_ids:
        return dict.fromkeys(places.all_of_nvidia(), (ALL,)), []
    found: dict[Place, tuple[str, ...]] = {}
    missing = []
    for id_ in allocation.device_ids:
        place = _place_of(allocation, id_, places)
        if place is not None:
            found[place] = (*found.get(place, ()), id_)
        elif allocation.job_id or id_.startswith(_IDS_OF_GPUS):
            missing.append(id_)
    if not found:
        found = {place: () for node in allocation.nodes if (place := places.find(node)) is not None}
    return found, missing


def _place_of(allocation: Allocation, id_: str, places: Places) -> Place | None:
    """A number is an index to NVIDIA's runtime, a place in its list to Slurm, and to a plugin nothing but a name."""
    if allocation.source == BUNDLE:
        return places.find_visible(id_)
    ordered = places.find_in_order(id_) if allocation.job_id else None
    return ordered or places.find(device_of(id_))


def _grant(
    allocation: Allocation, place: Place, ids: tuple[str, ...], replicas: Mapping[tuple[str, str], int]
) -> Grant:
    is_shared = any(device_of(id_) != id_ for id_ in ids)
    share = place.share
    if is_shared:
        total = replicas.get((allocation.resource, device_of(ids[0])), 0)
        share = None if share is None or not total else share * min(1.0, len(set(ids)) / total)
    sharing = MIG if place.part else WHOLE
    if allocation.uses_mps:
        sharing = MPS
    elif is_shared:
        sharing = TIME_SLICING if _REPLICA in ids[0] else SHARED
    return Grant(
        device=place.device,
        part=place.part,
        sharing=sharing,
        share=None if share is None else round(share, 6),
        resource=allocation.resource,
        device_ids=ids or allocation.device_ids,
        sources=(allocation.source,),
        claim=allocation.claim.name if allocation.claim else "",
    )


def _count_replicas(sources: Iterable[Allocations]) -> dict[tuple[str, str], int]:
    """How many ids of a resource stand for the same device."""
    counts: dict[tuple[str, str], set[str]] = {}
    for source in sources:
        for allocatable in source.allocatable:
            for id_ in allocatable.device_ids:
                counts.setdefault((allocatable.resource, device_of(id_)), set()).add(id_)
    return {key: len(ids) for key, ids in counts.items()}


def _marked_as_shared(owners: dict[str, Given]) -> dict[str, Given]:
    """What several owners were given as a whole is shared, and nobody says how."""
    holders: dict[tuple[str, str], int] = {}
    for given in owners.values():
        for key in given.grants:
            holders[key] = holders.get(key, 0) + 1
    for given in owners.values():
        for key, grant in given.grants.items():
            if grant.sharing == WHOLE and holders[key] > 1:
                given.grants[key] = replace(grant, sharing=SHARED)
    return owners
