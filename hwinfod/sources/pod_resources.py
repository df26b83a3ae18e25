# SPDX-License-Identifier: MIT
"""The kubelet's pod-resources API: which devices it gave to which container. Messages only, no transport.

It knows neither uids nor ids of containers: join by namespace, pod and container. Source: kubernetes/kubelet
pkg/apis/podresources/v1/api.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hwinfod.sources.protobuf import Message, decode

if TYPE_CHECKING:
    from collections.abc import Iterable

SOCKET = "/var/lib/kubelet/pod-resources/kubelet.sock"
LIST = "/v1.PodResourcesLister/List"  # its request is empty, as is the next one's
GET_ALLOCATABLE = "/v1.PodResourcesLister/GetAllocatableResources"
_UUID_LENGTH = 36


class Devices(NamedTuple):
    """Ids of one resource (nvidia.com/gpu, amd.com/gpu, rdma/hca), as the device plugin names them."""

    resource: str
    device_ids: tuple[str, ...]


class Claim(NamedTuple):
    """A device by Dynamic Resource Allocation. Driver, pool and device name it in the cluster; CDI on the node."""

    namespace: str
    claim: str
    driver: str
    pool: str
    device: str
    cdi_devices: tuple[str, ...]


class ContainerDevices(NamedTuple):
    """What one container was given."""

    namespace: str
    pod: str
    container: str
    devices: tuple[Devices, ...]
    claims: tuple[Claim, ...]


def parse_list(data: bytes) -> list[ContainerDevices]:
    """ListPodResourcesResponse{pod_resources 1}: the containers that were given any device. Raises ParseError."""
    found = []
    for pod in decode(data).messages(1):
        for container in pod.messages(3):
            devices = tuple(_devices(message) for message in container.messages(2))
            claims = tuple(claim for message in container.messages(5) for claim in _claims(message))
            if devices or claims:
                found.append(ContainerDevices(pod.text(2), pod.text(1), container.text(1), devices, claims))
    return found


def parse_allocatable(data: bytes) -> list[Devices]:
    """AllocatableResourcesResponse{devices 1}: what the node may give, one entry a resource and NUMA node. Raises
    ParseError."""
    return [_devices(message) for message in decode(data).messages(1)]


def _devices(message: Message) -> Devices:
    return Devices(message.text(1), tuple(message.texts(2)))


def _claims(message: Message) -> list[Claim]:
    """DynamicResource{claim_name 2, claim_namespace 3, claim_resources 4}."""
    return [
        Claim(
            namespace=message.text(3),
            claim=message.text(2),
            driver=resource.text(2),
            pool=resource.text(3),
            device=resource.text(4),
            cdi_devices=tuple(device.text(1) for device in resource.messages(1)),
        )
        for resource in message.messages(4)
    ]


def device_of(device_id: str) -> str:
    """The GPU or MIG instance behind an id of a device plugin that shares it: `GPU-<uuid>::3` (NVIDIA's
    time-slicing and MPS replicas) and `GPU-<uuid>-3` (HAMi) are both `GPU-<uuid>`; any other id is itself."""
    plain = device_id.partition("::")[0]
    kind, dash, rest = plain.partition("-")
    if kind in ("GPU", "MIG") and dash and len(rest) > _UUID_LENGTH and rest[_UUID_LENGTH] == "-":
        return f"{kind}-{rest[:_UUID_LENGTH]}"
    return plain


def devices_of(ids: Iterable[str]) -> tuple[str, ...]:
    """The devices behind these ids, each once."""
    return tuple(dict.fromkeys(map(device_of, ids)))
