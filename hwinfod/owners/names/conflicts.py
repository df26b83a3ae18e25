# SPDX-License-Identifier: MIT
"""Names in which sources disagree: shown, not settled in silence. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.owner import ContainerName, Names

_FIELDS = ("container", "namespace", "pod", "pod_uid")
_MOST = 1024


def find(current: Mapping[str, Names]) -> dict[str, tuple[str, ...]]:
    """By container id what one source says and another says otherwise; a source that knows less disagrees in nothing.
    An image has several names and is not compared. At most a thousand containers."""
    first: dict[str, tuple[str, ContainerName]] = {}
    found: dict[str, tuple[str, ...]] = {}
    for source, names in current.items():
        for name in names.containers:
            told_by, known = first.setdefault(name.container_id, (source, name))
            if told_by == source or len(found) >= _MOST:
                continue
            wrong = tuple(_differences(told_by, known, source, name))
            if wrong:
                found[name.container_id] = found.get(name.container_id, ()) + wrong
    return found


def _differences(told_by: str, known: ContainerName, source: str, name: ContainerName) -> list[str]:
    return [
        f"{field} is {getattr(known, field)} by {told_by}, {getattr(name, field)} by {source}"
        for field in _FIELDS
        if getattr(known, field) and getattr(name, field) and getattr(known, field) != getattr(name, field)
    ]
