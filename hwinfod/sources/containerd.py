# SPDX-License-Identifier: MIT
"""containerd's own API: containers of every namespace, their first processes, their life. Messages only.

Every call carries the metadata `containerd-namespace`. Events are not replayed: list after subscribing. Source:
containerd api/services/{namespaces,containers,tasks,events}/v1, api/types/task, api/events/{task,container}.proto.
"""

from __future__ import annotations

from typing import NamedTuple

from hwinfod.errors import ParseError
from hwinfod.sources.oci_spec import OciSpec, parse_spec
from hwinfod.sources.protobuf import Message, decode, encode_bytes

NAMESPACES_LIST = "/containerd.services.namespaces.v1.Namespaces/List"
CONTAINERS_LIST = "/containerd.services.containers.v1.Containers/List"
TASKS_LIST = "/containerd.services.tasks.v1.Tasks/List"
EVENTS_SUBSCRIBE = "/containerd.services.events.v1.Events/Subscribe"
LIST_REQUEST = b""

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
    nerdctl nerdctl/name. `spec` is None where it is of a kind that is not OCI's."""

    container_id: str
    image: str
    runtime: str
    labels: dict[str, str]
    spec: OciSpec | None


class Task(NamedTuple):
    """The running side of a container: its first process, in the PID namespace of containerd."""

    container_id: str
    pid: int
    state: str


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


def parse_containers(data: bytes) -> list[Container]:
    """ListContainersResponse{containers 1}. Raises ParseError."""
    return [_container(message) for message in decode(data).messages(1)]


def _container(message: Message) -> Container:
    try:
        spec = parse_spec(message.message(5).raw(2))  # Any{type_url 1, value 2}
    except ParseError:
        spec = None
    return Container(message.text(1), message.text(3), message.message(4).text(1), message.mapping(2), spec)


def parse_tasks(data: bytes) -> list[Task]:
    """ListTasksResponse{tasks 1}: Process{container_id 1, id 2, pid 3, status 4}. Older versions leave
    container_id empty and put it into id. Raises ParseError."""
    return [
        Task(message.text(1) or message.text(2), message.integer(3), _state(message.integer(4)))
        for message in decode(data).messages(1)
    ]


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
    timestamp = envelope.message(1)
    unix_ns = timestamp.integer(1) * 1_000_000_000 + timestamp.integer(2)
    return Event(container_id, envelope.text(2), kind, unix_ns, exit_code)


def _state(number: int) -> str:
    return TASK_STATES[number] if 0 <= number < len(TASK_STATES) else TASK_STATES[0]
