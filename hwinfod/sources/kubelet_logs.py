# SPDX-License-Identifier: MIT
"""Names of pods and containers as the kubelet writes them into the names of log files: readable to everyone.

/var/log/pods/NAMESPACE_POD_UID/CONTAINER/ATTEMPT.log, and links to them from
/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log. Names of Kubernetes have no underscore. A link's name is cut
at 255 characters and the id with it: then the pod's directory alone tells. Source: kubernetes
pkg/kubelet/kuberuntime/{helpers,legacy}.go, BuildPodLogsDirectory() and logSymlink().
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.sources.files import list_directory

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

PODS = "/var/log/pods"
CONTAINERS = "/var/log/containers"

_ID_LENGTH = 64
_LONGEST_NAME = 253  # a DNS subdomain: RFC 1123
_SUFFIX = ".log"


class PodLogs(NamedTuple):
    """A pod that has, or had, logs on this node."""

    namespace: str
    pod: str
    pod_uid: str


class ContainerLog(NamedTuple):
    """A container's log. `pod_uid` is "" where the link does not lead below /var/log/pods."""

    container_id: str
    namespace: str
    pod: str
    container: str
    pod_uid: str


def parse_pod_directory(name: str) -> PodLogs | None:
    """`NAMESPACE_POD_UID`; None for any other name."""
    parts = name.split("_")
    if len(parts) != 3 or not (_is_name(parts[0]) and _is_name(parts[1]) and _is_uid(parts[2])):
        return None
    return PodLogs(*parts)


def parse_container_link(name: str, target: str) -> ContainerLog | None:
    """`POD_NAMESPACE_CONTAINER-ID.log` and what it links to; None for any other name."""
    parts = name.removesuffix(_SUFFIX).split("_")
    if len(parts) != 3 or not name.endswith(_SUFFIX):
        return None
    pod, namespace, last = parts
    container, dash, identifier = last[: -_ID_LENGTH - 1], last[-_ID_LENGTH - 1 : -_ID_LENGTH], last[-_ID_LENGTH:]
    if dash != "-" or identifier.strip("0123456789abcdef") or not (_is_name(pod) and _is_name(namespace)):
        return None
    directories = target.split("/")
    logs = parse_pod_directory(directories[-3]) if len(directories) >= 3 else None
    uid = logs.pod_uid if logs is not None and logs[:2] == (namespace, pod) else ""
    return ContainerLog(identifier, namespace, pod, container, uid) if _is_name(container) else None


def read_pods(roots: RootPaths) -> list[PodLogs]:
    """The pods with logs on this node; none without a kubelet, or where we may not look."""
    found = (parse_pod_directory(name) for name in list_directory(roots.root(PODS)))
    return [pod for pod in found if pod is not None]


def read_containers(roots: RootPaths) -> list[ContainerLog]:
    """The containers with logs on this node; none without a kubelet, or where we may not look."""
    directory = roots.root(CONTAINERS)
    found = []
    for name in list_directory(directory):
        try:
            target = os.readlink(f"{directory}/{name}")
        except OSError:
            continue
        container = parse_container_link(name, target)
        if container is not None:
            found.append(container)
    return found


def _is_name(name: str) -> bool:
    """Whether this can be a name of Kubernetes: a DNS label or subdomain."""
    return (
        0 < len(name) <= _LONGEST_NAME
        and name.isascii()
        and name[0].isalnum()
        and name[-1].isalnum()
        and name.replace("-", "").replace(".", "").isalnum()
        and name == name.lower()
    )


def _is_uid(uid: str) -> bool:
    return len(uid) in (32, 36) and not uid.replace("-", "").strip("0123456789abcdef")
