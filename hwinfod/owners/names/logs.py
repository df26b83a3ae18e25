# SPDX-License-Identifier: MIT
"""Names from the kubelet's log directories: the source that needs no privilege."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.owners.names.book import ContainerName, NameBook, PodName
from hwinfod.sources.kubelet_logs import ContainerLog, PodLogs, read_containers, read_pods

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.core.host import RootPaths


def read_names(roots: RootPaths) -> tuple[list[PodLogs], list[ContainerLog]]:
    """To be called on the lane: both empty without a kubelet."""
    return read_pods(roots), read_containers(roots)


def learn(book: NameBook, pods: Iterable[PodLogs], containers: Iterable[ContainerLog]) -> None:
    """To be called where the book lives."""
    for pod in pods:
        book.learn_pod(PodName(pod.pod_uid, pod.namespace, pod.pod))
    for log in containers:
        book.learn_container(ContainerName(log.container_id, log.container, log.namespace, log.pod, log.pod_uid))
