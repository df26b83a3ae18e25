# SPDX-License-Identifier: MIT
"""What becomes of a GPU that was given: for how long it has not been used, and whether MPS shares it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hwinfod.core.holding import Batch
    from hwinfod.core.owner import Attribution, OwnerRecord

_UTILIZATION = "utilization_ratio"
_MPS = "mps"  # in a holding's role


class IdleClock:
    """By owner and GPU when it was last seen in use, from when the grant was first seen."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], float] = {}
        self._asked: set[tuple[str, str]] = set()

    def seconds(self, owner: str, device: str, now: float, *, in_use: bool | None) -> float | None:
        """`now` is monotonic; None where nobody can see what runs on the GPU (`in_use` is None)."""
        key = (owner, device)
        self._asked.add(key)
        since = self._used.setdefault(key, now)
        if in_use is None:
            return None
        if in_use:
            since = self._used[key] = now
        return now - since

    def sweep(self) -> None:
        """Forgets what was not asked for since the last time: the grant has ended."""
        self._used = {key: since for key, since in self._used.items() if key in self._asked}
        self._asked.clear()


def is_in_use(owner: str, device: str, attribution: Attribution, batches: Mapping[str, Batch]) -> bool | None:
    """Whether a process of the owner works on the GPU. Where the driver tells no share of time (MIG, old boards) one
    that is there is taken to work. None where the GPU's processes are not read."""
    if device not in batches:
        return None
    found = False
    for record in _records(owner, attribution.owners):
        for holder in record.holders:
            if holder.device == device:
                found = found or holder.amounts.get(_UTILIZATION, 1.0) > 0
    return found


def runs_mps(device: str, batches: Mapping[str, Batch]) -> bool:
    """Whether NVIDIA's Multi-Process Service is at work on the GPU: who shares it then does so at the same time."""
    return device in batches and any(_MPS in holding.role for holding in batches[device].holdings)


def _records(owner: str, records: Mapping[str, OwnerRecord]) -> Iterable[OwnerRecord]:
    """The owner's own, and of what it runs within its territory, whose ids end in its id."""
    return [record for id_, record in records.items() if id_ == owner or id_.endswith(f"@{owner}")]
