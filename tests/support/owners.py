# SPDX-License-Identifier: MIT
"""What tests of owners share: a pod's cgroup, and values by owner."""

from __future__ import annotations

A, B = "1f" * 32, "2e" * 32
UID = "5f2c1f0e-1111-2222-3333-444455556666"
POD = f"kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/cri-containerd-{A}.scope"
GIB = 1 << 30


def by_owner(values: dict[str, int | float], family: str) -> dict[str, int | float]:
    """The values of one family by owner, container, and resource or device."""
    found = {}
    for name, value in values.items():
        metric, _, labels = name.partition("{")
        if metric == family:
            pairs = dict(pair.split("=", 1) for pair in labels[:-1].split(","))
            found[
                " ".join(filter(None, (pairs["owner"], pairs["container"], pairs.get("resource"), pairs.get("device"))))
            ] = value
    return found
