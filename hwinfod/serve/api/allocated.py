# SPDX-License-Identifier: MIT
"""What an owner was given, whether or not it uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hwinfod.core.grant import Grant, Grantee
    from hwinfod.core.host import Host
    from hwinfod.wire.owners import AllocatedDevice


def only_given(host: Host, device: str = "") -> Iterator[Grantee]:
    """The owners that were given something, or this device, and hold and have open nothing at all."""
    for id_, grantee in host.granted.owners.items():
        if id_ not in host.attribution.owners and (not device or grantee.of(device)):
            yield grantee


def was_given(host: Host, owner_id: str, device: str) -> bool:
    """Whether an owner was given this device."""
    grantee = host.granted.owners.get(owner_id)
    return grantee is not None and bool(grantee.of(device))


def allocated_of(host: Host, owner_id: str, *, seen: bool) -> list[AllocatedDevice]:
    """How much of a device is given away is no secret; what for, and what becomes of it, may be."""
    grantee = host.granted.owners.get(owner_id)
    return [] if grantee is None else [_allocated(host, grant, seen=seen) for grant in grantee.grants]


def _allocated(host: Host, grant: Grant, *, seen: bool) -> AllocatedDevice:
    known = host.devices.current.get(grant.device)
    return {
        "device": grant.device,
        "name": known.name if known else grant.device,
        "kind": known.kind if known else "",
        "part": grant.part,
        "sharing": grant.sharing,
        "share": grant.share,
        "resource": grant.resource if seen else "",
        "device_ids": list(grant.device_ids) if seen else [],
        "claim": grant.claim if seen else "",
        "sources": list(grant.sources) if seen else [],
        "idle_seconds": grant.idle_seconds if seen else None,
    }
