# SPDX-License-Identifier: MIT
"""What the kubelet says of its pods, without how it is asked: GET /pods and GET /stats/summary.

Source: kubernetes staging/src/k8s.io/api/core/v1/types.go (PodList), staging/src/k8s.io/kubelet/pkg/apis/stats/v1alpha1
/types.go (Summary), pkg/kubelet/types/pod_update.go and pkg/kubelet/config/config.go (the annotations of
static pods).
"""

from __future__ import annotations

from typing import NamedTuple

from hwinfod.errors import ParseError
from hwinfod.sources.json_document import array, integer, mapping, text
from hwinfod.sources.json_items import parse_items

MOST_PODS = 4096
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
# A static pod's cgroup and logs have this hash for a uid; its mirror in the API server has a uid of its own.
_CONFIG_HASHES = ("kubernetes.io/config.hash", "kubernetes.io/config.mirror")
# The kubelet writes it over whatever a pod has there: "file" or "http" of a static pod, "api" of any other.
_CONFIG_SOURCE = "kubernetes.io/config.source"
_HASH_LENGTH = 32
_HEX = frozenset("0123456789abcdef")


class PodContainer(NamedTuple):
    """A container that was created. `container_id` without the runtime's name before it."""

    name: str
    container_id: str
    image: str


class Pod(NamedTuple):
    """A pod of this node. `phase` is Pending, Running, Succeeded, Failed or Unknown; `config_hash` is of a static pod,
    "" of any other."""

    pod_uid: str
    config_hash: str
    namespace: str
    name: str
    phase: str
    containers: tuple[PodContainer, ...]


class PodStorage(NamedTuple):
    """Bytes of a pod's writable layers, logs and local volumes; None where the kubelet has not counted them yet."""

    pod_uid: str
    namespace: str
    name: str
    used_bytes: int | None


class NodeStorage(NamedTuple):
    """The file system of the kubelet's root directory, in bytes; None for what is not told."""

    used_bytes: int | None
    available_bytes: int | None
    limit_bytes: int | None


class Summary(NamedTuple):
    """Ephemeral storage of the node and of each of its pods."""

    node: NodeStorage
    pods: tuple[PodStorage, ...]


def parse_pods(data: bytes) -> list[Pod]:
    """A PodList; pods without uid or name are left out. Raises ParseError."""
    frame, found = parse_items(data, "items", _pod, MOST_PODS)
    if frame.get("kind") != "PodList":
        raise ParseError(f"no list of pods: {data[:60]!r}")
    return [pod for pod in found if pod is not None]


def parse_summary(data: bytes) -> Summary:
    """What of it is ephemeral storage. Raises ParseError."""
    frame, found = parse_items(data, "pods", _pod_storage, MOST_PODS)
    if "node" not in frame:
        raise ParseError(f"no summary of statistics: {data[:60]!r}")
    storage = mapping(frame, "node", "fs")
    node = NodeStorage(*(_bytes(storage, key) for key in ("usedBytes", "availableBytes", "capacityBytes")))
    return Summary(node, tuple(pod for pod in found if pod.pod_uid and pod.name))


def _pod_storage(item: object) -> PodStorage:
    reference = mapping(item, "podRef")
    uid, namespace, name = (text(reference.get(key)) for key in ("uid", "namespace", "name"))
    return PodStorage(uid, namespace, name, _bytes(mapping(item, "ephemeral-storage"), "usedBytes"))


def _pod(item: object) -> Pod | None:
    metadata, status = mapping(item, "metadata"), mapping(item, "status")
    uid, name = text(metadata.get("uid")), text(metadata.get("name"))
    if not (uid and name):
        return None
    annotations = mapping(metadata, "annotations")
    containers = [_container(each) for key in _STATUSES for each in array(status.get(key))]
    return Pod(
        pod_uid=uid,
        config_hash=_config_hash(annotations),
        namespace=text(metadata.get("namespace")),
        name=name,
        phase=text(status.get("phase")),
        containers=tuple(container for container in containers if container.container_id),
    )


def _config_hash(annotations: dict[str, object]) -> str:
    """Annotations are the tenant's: another pod's uid in the place of the hash would give him that pod's name."""
    if text(annotations.get(_CONFIG_SOURCE)) in ("", "api"):
        return ""
    hashes = (text(annotations.get(key)) for key in _CONFIG_HASHES)
    return next((found for found in hashes if len(found) == _HASH_LENGTH and set(found) <= _HEX), "")


def _container(item: object) -> PodContainer:
    """`containerID` is RUNTIME://ID, and missing before the container is made."""
    record = mapping(item)
    identifier = text(record.get("containerID"))
    return PodContainer(text(record.get("name")), identifier.partition("://")[2], text(record.get("image")))


def _bytes(record: dict[str, object], key: str) -> int | None:
    value = integer(record.get(key))
    return value if value is None or value >= 0 else None
