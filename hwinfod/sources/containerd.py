# SPDX-License-Identifier: MIT
"""containerd's own API: containers of every namespace, their first processes, their life. Messages only.

Every call carries the metadata `containerd-namespace`. Events are not replayed: list after subscribing. Source:
containerd api/services/{namespaces,containers,tasks,events}/v1, api/types/task, api/events/{task,container}.proto.
"""

from __future__ import annotations

from typing import NamedTuple

from hwinfod.errors import ParseError
from hwinfod.sources.oci_spec import CONTAINERD, OciSpec, parse_spec
from hwinfod.sources.protobuf import Message, decode, encode_bytes

NAMESPACES_LIST = "/containerd.services.namespaces.v1.Namespaces/List"
# One container a message, so that no reply grows with their number: specifications are 20 KiB each.
CONTAINERS_STREAM = "/containerd.services.containers.v1.Containers/ListStream"
CONTAINERS_GET = "/containerd.services.containers.v1.Containers/Get"
TASKS_LIST = "/containerd.services.tasks.v1.Tasks/List"
EVENTS_SUBSCRIBE = "/containerd.services.events.v1.Events/Subscribe"
NAMESPACE = "containerd-namespace"
# State sockets of containerd: the distribution's, k3s and RKE2, k0s, MicroK8s.
SOCKETS = (
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/k0s/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
)

_KIND_OF_TYPE = {
    "containerd.events.ContainerCreate": "created",
    "containerd.events.TaskStart": "started",
    "containerd.events.TaskExit": "exited",
    "containerd.events.TaskOOM": "oom",
    "containerd.events.ContainerDelete": "deleted",
}
TASK_STATES = ("unknown", "created", "running", "stopped", "paused", "pausing")


class Container(NamedTuple):
    """A container of one namespace. Labels are whoever's made it: the CRI plugin writes io.kubernetes.pod.*,
    nerdctl nerdctl/name. `spec` is None where it is of a kind that is not OCI's. `created_ns` is Unix time."""

    container_id: str
    image: str
    runtime: str
    labels: dict[str, str]
    spec: OciSpec | None
    created_ns: int = 0


class Task(NamedTuple):
    """The running side of a container: its first process, in the PID namespace of containerd. `exit_code` when it is
    stopped."""

    container_id: str
    pid: int
    state: str
    exit_code: int | None = None


class Event(NamedTuple):
    """`kind` is "created", "started", "exited", "oom" or "deleted". Wall time. `exit_code` with "exited" only."""

    container_id: str
    namespace: str
    kind: str
    unix_ns: int
    exit_code: int | None = None


def parse_namespaces(data: bytes) -> list[str]:
    """ListNamespacesResponse{namespaces 1 {name 1}}. Raises ParseError."""
    return [message.text(1) for message in decode(data).messages(1)]


def encode_get(container_id: str) -> bytes:
    """GetContainerRequest{id 1}."""
    return encode_bytes(1, container_id)


def parse_container_id(data: bytes) -> str:
    """The id alone of what `parse_container` reads: the rest of a container that is known need not be. Raises
    ParseError."""
    return decode(data).message(1).text(1)


def parse_container(data: bytes) -> Container:
    """GetContainerResponse{container 1} and ListContainerMessage{container 1}. Raises ParseError."""
    return _container(decode(data).message(1))


def _container(message: Message) -> Container:
    try:
        spec = parse_spec(message.message(5).raw(2), CONTAINERD)  # Any{type_url 1, value 2}
    except ParseError:
        spec = None
    created = _unix_ns(message.message(8))
    return Container(message.text(1), message.text(3), message.message(4).text(1), message.mapping(2), spec, created)


def parse_tasks(data: bytes) -> list[Task]:
    """ListTasksResponse{tasks 1}: Process{container_id 1, id 2, pid 3, status 4, exit_status 9}. Older versions leave
    container_id empty and put it into id. Raises ParseError."""
    found = []
    for message in decode(data).messages(1):
        state = _state(message.integer(4))
        exit_code = message.integer(9) if state == "stopped" else None
        found.append(Task(message.text(1) or message.text(2), message.integer(3), state, exit_code))
    return found


def encode_subscribe() -> bytes:
    """SubscribeRequest{filters 1}: what tells of containers and their first processes."""
    return encode_bytes(1, 'topic~="^/tasks/(start|exit|oom)$"') + encode_bytes(1, 'topic~="^/containers/"')


def parse_event(data: bytes) -> Event | None:
    """Envelope{timestamp 1, namespace 2, topic 3, event 4}; None for what is not of a container's own life (the
    end of a `docker exec`, an image). Raises ParseError."""
    envelope = decode(data)
    payload = envelope.message(4)  # Any{type_url 1, value 2}
    kind = _KIND_OF_TYPE.get(payload.text(1).rpartition("/")[2])
    if kind is None:
        return None
    event = decode(payload.raw(2))
    container_id, exit_code = event.text(1), None
    if kind == "exited":  # TaskExit{container_id 1, id 2, pid 3, exit_status 4}: `id` is the process's
        if event.text(2) not in ("", container_id):
            return None
        exit_code = event.integer(4)
    return Event(container_id, envelope.text(2), kind, _unix_ns(envelope.message(1)), exit_code)


def _unix_ns(timestamp: Message) -> int:
    """google.protobuf.Timestamp{seconds 1, nanos 2}."""
    return timestamp.integer(1) * 1_000_000_000 + timestamp.integer(2)


def _state(number: int) -> str:
    return TASK_STATES[number] if 0 <= number < len(TASK_STATES) else TASK_STATES[0]
