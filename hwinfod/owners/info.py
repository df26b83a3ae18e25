# SPDX-License-Identifier: MIT
"""`hw_owner_info`: what other series of an owner are joined with. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.metric import Kind, Metric
from hwinfod.core.owner import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hwinfod.owners.budget import Labels

FURTHER = ("pod_uid", "container_id", "account", "partition")
INFO = Metric(
    name="hw_owner_info",
    kind=Kind.INFO,
    help="An owner that holds or was given hardware. Account and partition of a batch job are as it says itself.",
    source="/proc/PID/cgroup; of a batch job its environment",
    labels=(*LABELS, *FURTHER),
)
_LONGEST = 200


def rows(owners: Iterable[tuple[Labels, Mapping[str, str]]]) -> list[Labels]:
    """The label values of the info series. Owners with the same labels have one series, with what they agree in: two
    would make each join with them ambiguous."""
    found: dict[Labels, tuple[str, ...]] = {}
    for labels, identity in owners:
        further = tuple(identity.get(name, "")[:_LONGEST] for name in FURTHER)
        known = found.get(labels, further)
        found[labels] = tuple(a if a == b else "" for a, b in zip(known, further, strict=True))
    return [(*labels, *further) for labels, further in found.items()]
