# SPDX-License-Identifier: MIT
"""Pods: the kubelet's directories, by its cgroupfs and its systemd driver, below any prefix.

`kubepods/burstable/pod<UID>` or `kubepods-burstable-pod<UID with _ for ->.slice`. A `--cgroup-root` goes in
front of kubepods, in front of which stands the node's own container when the node is one (kind, k3d, minikube).
Source: kubernetes pkg/kubelet/cm/{cgroup_manager_linux,pod_container_manager_linux}.go.
"""

from __future__ import annotations

from hwinfod.owners.identity import POD, Owner
from hwinfod.owners.rules.segments import before, is_hex, is_uuid

_MARK = "pod"
_SLICE = ".slice"


def pod(segments: list[str], position: int) -> Owner | None:
    """A pod's directory. The uid is a UUID, or 32 hex digits: the hash that a static pod has for one."""
    segment = segments[position]
    start = segment.rfind(_MARK) + len(_MARK)
    if start < len(_MARK):
        return None
    end = len(segment) - len(_SLICE) if segment.endswith(_SLICE) else len(segment)
    if end - start not in (36, 32):
        return None
    prefix = segment[: start - len(_MARK)]
    if prefix and not prefix.endswith("-"):
        return None
    uid = segment[start:end].replace("_", "-")
    if not (is_uuid(uid) or (is_hex(uid) and len(uid) == 32)):
        return None
    return Owner(POD, pod_uid=uid, qos=_quality(prefix or before(segments, position)))


def _quality(name: str) -> str | None:
    """The class of service that a pod's prefix or parent directory tells: pods right below kubepods are
    guaranteed; where the parent cannot be seen, nothing is known."""
    for quality in ("burstable", "besteffort"):
        if quality in name:
            return quality
    return "guaranteed" if "kubepods" in name else None
