# SPDX-License-Identifier: MIT
"""Grants: allocations brought together by owner and by the devices of this host. What was given, not what is used."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

WHOLE, MIG, TIME_SLICING, MPS, SHARED = "whole", "mig", "time-slicing", "mps", "shared"


@dataclass(frozen=True, slots=True)
class Grant:
    """One device, or a part of it, that one owner was given.

    `device` is the id of a GPU or RDMA device, `part` that of the MIG instance or partition within it, "" for the
    whole. `sharing` is one of the words above: SHARED where others may have the same and nobody says how. `share` is
    how much of the device it is, 0 to 1, None where it cannot be told. `resource` and `device_ids` are as the sources
    name them; `sources` say who told, the most trusted first. `idle_seconds` is for how long a GPU has not been used
    by its owner, 0 while it is, None where that cannot be seen.
    """

    device: str
    part: str
    sharing: str
    share: float | None
    resource: str
    device_ids: tuple[str, ...]
    sources: tuple[str, ...]
    claim: str = ""
    idle_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Grantee:
    """An owner that was given devices. `id`, `label`, `labels`, `identity` and `uid` are as of core.owner.OwnerRecord;
    `since_boottime_ns` is when the grants were first seen."""

    id: str
    label: str
    labels: tuple[str, ...]
    identity: Mapping[str, str]
    uid: int
    since_boottime_ns: int
    grants: tuple[Grant, ...]

    def of(self, device: str) -> tuple[Grant, ...]:
        return tuple(grant for grant in self.grants if grant.device == device)


@dataclass(frozen=True, slots=True)
class Granted:
    """One pass over all allocations, by owner. `unknown` are ids of which it is not known which device of this host
    they mean, by who told; `blind` says why allocations may be missing."""

    boottime_ns: int = 0
    owners: Mapping[str, Grantee] = field(default_factory=lambda: MappingProxyType({}))
    unknown: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    blind: tuple[str, ...] = ()
