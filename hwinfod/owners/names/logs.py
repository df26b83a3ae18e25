# SPDX-License-Identifier: MIT
"""Names from the kubelet's log directories: the source that needs no privilege."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.owner import ContainerName, PodName
from hwinfod.sources.kubelet_logs import read_containers, read_pods

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

SOURCE = "logs"


def read_names(roots: RootPaths) -> tuple[list[PodName], list[ContainerName]]:
    """Both empty without a kubelet."""
    pods = [PodName(pod.pod_uid, pod.namespace, pod.pod) for pod in read_pods(roots)]
    containers = [
        ContainerName(log.container_id, log.container, log.namespace, log.pod, log.pod_uid)
        for log in read_containers(roots)
    ]
    return pods, containers
