# SPDX-License-Identifier: MIT
"""What an owner is called, in whichever answer it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwinfod.wire.owners import OwnerTitle


def titled(labels: tuple[str, ...]) -> OwnerTitle:
    """Labels in the order of `core.owner.LABELS`."""
    owner, kind, namespace, pod, container, job_id, unit = labels
    return {
        "owner": owner,
        "kind": kind,
        "namespace": namespace,
        "pod": pod,
        "container": container,
        "job_id": job_id,
        "unit": unit,
    }
