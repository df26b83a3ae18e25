# SPDX-License-Identifier: MIT
"""The Container Runtime Interface: what a kubelet asks its runtime, and we too. Messages only, no transport.

Source: kubernetes/cri-api pkg/apis/runtime/v1/api.proto; field numbers are frozen with v1.
"""

from __future__ import annotations

from typing import NamedTuple

from hwinfod.errors import ParseError
from hwinfod.sources.json_document import integer, mapping, parse_json
from hwinfod.sources.oci_spec import CRIO, OciSpec, spec_of
from hwinfod.sources.protobuf import Message, decode, encode_bytes, encode_integer

VERSION = "/runtime.v1.RuntimeService/Version"
LIST_POD_SANDBOX = "/runtime.v1.RuntimeService/ListPodSandbox"
LIST_CONTAINERS = "/runtime.v1.RuntimeService/ListContainers"
CONTAINER_STATUS = "/runtime.v1.RuntimeService/ContainerStatus"
# A second listener beside the kubelet may miss events in some versions: a reason to list again, no more.
GET_CONTAINER_EVENTS = "/runtime.v1.RuntimeService/GetContainerEvents"
# containerd's are its own API's too: `containerd.SOCKETS`.
CRIO_SOCKETS = ("/run/crio/crio.sock",)
CRI_DOCKERD_SOCKETS = ("/run/cri-dockerd.sock",)

STATES = ("created", "running", "exited", "unknown")
EVENTS = ("created", "started", "stopped", "deleted")


class CriSandbox(NamedTuple):
    """A pod's sandbox: the container that holds its namespaces."""

    sandbox_id: str
    namespace: str
    pod: str
    pod_uid: str


class CriContainer(NamedTuple):
    """A container in a pod. `created_ns` is Unix time."""

    container_id: str
    sandbox_id: str
    container: str
    attempt: int
    image: str
    state: str
    created_ns: int
    namespace: str
    pod: str
    pod_uid: str


class CriStatus(NamedTuple):
    """A container's life, and with `verbose` its first process and specification: the runtimes put them into a
    free-form JSON text, so that both may be None. Times are Unix nanoseconds, 0 for not yet. `reason` is "OOMKilled"
    where a process was killed for want of memory."""

    container_id: str
    state: str
    started_ns: int
    finished_ns: int
    exit_code: int
    reason: str
    image: str
    pid: int | None
    spec: OciSpec | None


class CriEvent(NamedTuple):
    """`kind` is one of EVENTS; `created_ns` is Unix time. With `is_sandbox` it is of a pod's sandbox."""

    container_id: str
    kind: str
    created_ns: int
    is_sandbox: bool = False


def encode_version() -> bytes:
    """VersionRequest{version 1}: the kubelet's runtime API version."""
    return encode_bytes(1, "0.1.0")


def parse_runtime_name(data: bytes) -> str:
    """VersionResponse{runtime_name 2}: "containerd", "cri-o", "docker". Raises ParseError."""
    return decode(data).text(2)


def parse_list_pod_sandbox(data: bytes) -> list[CriSandbox]:
    """ListPodSandboxResponse{items 1 {id 1, metadata 2 {name 1, uid 2, namespace 3}}}. Raises ParseError."""
    found = []
    for message in decode(data).messages(1):
        metadata = message.message(2)
        found.append(CriSandbox(message.text(1), metadata.text(3), metadata.text(1), metadata.text(2)))
    return found


def parse_list_containers(data: bytes) -> list[CriContainer]:
    """ListContainersResponse{containers 1}, of an empty request: in whatever state. Raises ParseError."""
    return [_container(message) for message in decode(data).messages(1)]


def _container(message: Message) -> CriContainer:
    metadata, labels = message.message(3), message.mapping(8)
    return CriContainer(
        container_id=message.text(1),
        sandbox_id=message.text(2),
        container=metadata.text(1),
        attempt=metadata.integer(2),
        image=message.message(4).text(1),
        state=_word(STATES, message.integer(6)),
        created_ns=message.integer(7),
        namespace=labels.get("io.kubernetes.pod.namespace", ""),
        pod=labels.get("io.kubernetes.pod.name", ""),
        pod_uid=labels.get("io.kubernetes.pod.uid", ""),
    )


def encode_container_status(container_id: str, *, verbose: bool) -> bytes:
    """ContainerStatusRequest{container_id 1, verbose 2}."""
    return encode_bytes(1, container_id) + encode_integer(2, int(verbose))


def parse_container_status(data: bytes) -> CriStatus:
    """ContainerStatusResponse{status 1, info 2}. Raises ParseError."""
    response = decode(data)
    status = response.message(1)
    pid, spec = _verbose(response)
    return CriStatus(
        container_id=status.text(1),
        state=_word(STATES, status.integer(3)),
        started_ns=status.integer(5),
        finished_ns=status.integer(6),
        exit_code=status.integer(7),
        reason=status.text(10),
        image=status.message(8).text(18) or status.message(8).text(1),
        pid=pid,
        spec=spec,
    )


def _verbose(response: Message) -> tuple[int | None, OciSpec | None]:
    """info["info"]: containerd internal/cri/server/container_status.go toCRIContainerInfo(), CRI-O
    server/container_status.go createContainerInfo()."""
    for entry in response.messages(2):
        if entry.raw(1) != b"info":
            continue
        try:
            document = mapping(parse_json(entry.raw(2)))
        except ParseError:
            return None, None
        spec = document.get("runtimeSpec")
        return integer(document.get("pid")), None if spec is None else spec_of(spec, CRIO)
    return None, None


def parse_event(data: bytes) -> CriEvent:
    """ContainerEventResponse{container_id 1, container_event_type 2, created_at 3, pod_sandbox_status 4 {id 1}}.
    Raises ParseError."""
    message = decode(data)
    container_id = message.text(1)
    is_sandbox = container_id == message.message(4).text(1)
    return CriEvent(container_id, _word(EVENTS, message.integer(2)), message.integer(3), is_sandbox)


def _word(words: tuple[str, ...], number: int) -> str:
    return words[number] if 0 <= number < len(words) else "unknown"
