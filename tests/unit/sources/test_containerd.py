# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from google.protobuf import message
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.containerd import (
    Event,
    Task,
    encode_get,
    encode_subscribe,
    parse_container,
    parse_container_id,
    parse_event,
    parse_namespaces,
    parse_tasks,
)
from tests.support.protobuf import message_classes

SPEC = (Path(__file__).parent / "data/oci_containerd_cri.json").read_bytes()
A = "1f" * 32

# containerd api/services/{namespaces,containers,tasks,events}/v1, api/types, api/events
T = message_classes(
    """
    Namespace: name=1 string, labels=2 map
    ListNamespacesResponse: namespaces=1 *Namespace
    Any: type_url=1 string, value=2 bytes
    Timestamp: seconds=1 int64, nanos=2 int32
    Runtime: name=1 string, options=2 Any
    Container: id=1 string, labels=2 map, image=3 string, runtime=4 Runtime, spec=5 Any, snapshotter=6 string,\
 snapshot_key=7 string, created_at=8 Timestamp, updated_at=9 Timestamp, sandbox=11 string
    GetContainerRequest: id=1 string
    GetContainerResponse: container=1 Container
    Process: container_id=1 string, id=2 string, pid=3 uint32, status=4 int32, stdin=5 string, exit_status=9 uint32
    ListTasksResponse: tasks=1 *Process
    SubscribeRequest: filters=1 *string
    Envelope: timestamp=1 Timestamp, namespace=2 string, topic=3 string, event=4 Any
    ContainerCreate: id=1 string, image=2 string, runtime=3 Runtime
    ContainerDelete: id=1 string
    TaskStart: container_id=1 string, pid=2 uint32
    TaskExit: container_id=1 string, id=2 string, pid=3 uint32, exit_status=4 uint32, exited_at=5 Timestamp
    TaskOOM: container_id=1 string
    TaskExecAdded: container_id=1 string, exec_id=2 string
    """
)


def test_namespaces() -> None:
    names = [{"name": name, "labels": {"a": "b"}} for name in ("default", "k8s.io", "moby")]
    data = T["ListNamespacesResponse"](namespaces=names).SerializeToString()
    assert parse_namespaces(data) == ["default", "k8s.io", "moby"]


def test_container() -> None:
    pod = {
        "id": A,
        "labels": {"io.kubernetes.pod.name": "train-0"},
        "image": "registry.example.org/train:1.4",
        "runtime": {"name": "io.containerd.runc.v2", "options": {"type_url": "x", "value": b"\x00\xff"}},
        "spec": {"type_url": "types.containerd.io/opencontainers/runtime-spec/1/Spec", "value": SPEC},
        "snapshotter": "overlayfs",
        "created_at": {"seconds": 1, "nanos": 2},
    }
    data = T["GetContainerResponse"](container=pod).SerializeToString()
    assert parse_container_id(data) == A
    found = parse_container(data)
    assert (found.container_id, found.image, found.runtime) == (
        A,
        "registry.example.org/train:1.4",
        "io.containerd.runc.v2",
    )
    assert found.labels == {"io.kubernetes.pod.name": "train-0"}
    assert found.created_ns == 1_000_000_002
    assert found.spec is not None
    assert found.spec.namespace == "ml"


def test_a_container_of_another_kind() -> None:
    strange = {"id": "wasm", "spec": {"type_url": "x", "value": b"\x00"}}
    found = parse_container(T["GetContainerResponse"](container=strange).SerializeToString())
    assert (found.container_id, found.spec) == ("wasm", None)


def test_get_request() -> None:
    assert T["GetContainerRequest"].FromString(encode_get(A)).id == A


def test_tasks() -> None:
    processes = [{"container_id": A, "id": A, "pid": 4711, "status": 2}, {"id": "old", "pid": 5, "status": 77}]
    data = T["ListTasksResponse"](tasks=processes).SerializeToString()
    assert parse_tasks(data) == [Task(A, 4711, "running"), Task("old", 5, "unknown")]
    stopped = T["ListTasksResponse"](tasks=[{"id": A, "pid": 7, "status": 3, "exit_status": 137}]).SerializeToString()
    assert parse_tasks(stopped) == [Task(A, 7, "stopped", 137)]


def test_task_states() -> None:
    words = ["unknown", "created", "running", "stopped", "paused", "pausing"]
    processes = [{"id": "x", "status": number} for number in range(len(words))]
    assert [task.state for task in parse_tasks(T["ListTasksResponse"](tasks=processes).SerializeToString())] == words


def test_subscribe() -> None:
    request = T["SubscribeRequest"].FromString(encode_subscribe())
    assert list(request.filters) == ['topic~="^/tasks/(start|exit|oom)$"', 'topic~="^/containers/"']


def envelope(kind: str, prefix: str = "", **fields: object) -> bytes:
    payload: message.Message = T[kind](**fields)
    return T["Envelope"](
        timestamp={"seconds": 1_764_000_000, "nanos": 5},
        namespace="k8s.io",
        topic="/any",
        event={"type_url": f"{prefix}containerd.events.{kind}", "value": payload.SerializeToString()},
    ).SerializeToString()


TIME = 1_764_000_000_000_000_005


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (envelope("ContainerCreate", id=A, image="x"), Event(A, "k8s.io", "created", TIME)),
        (envelope("TaskStart", container_id=A, pid=7), Event(A, "k8s.io", "started", TIME)),
        (envelope("TaskExit", container_id=A, id=A, exit_status=137), Event(A, "k8s.io", "exited", TIME, 137)),
        (envelope("TaskExit", container_id=A, id=A), Event(A, "k8s.io", "exited", TIME, 0)),
        (envelope("TaskExit", container_id=A, id="exec-1", exit_status=1), None),
        (envelope("TaskOOM", container_id=A), Event(A, "k8s.io", "oom", TIME)),
        (envelope("ContainerDelete", id=A), Event(A, "k8s.io", "deleted", TIME)),
        (envelope("ContainerDelete", "type.googleapis.com/", id=A), Event(A, "k8s.io", "deleted", TIME)),
        (envelope("TaskExecAdded", container_id=A, exec_id="x"), None),
        (b"", None),
    ],
)
def test_event(data: bytes, expected: Event | None) -> None:
    assert parse_event(data) == expected


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    for parse in (parse_namespaces, parse_container, parse_container_id, parse_tasks, parse_event):
        with contextlib.suppress(ParseError):
            parse(data)
    torn = T["Envelope"](event={"type_url": "containerd.events.TaskExit", "value": data}).SerializeToString()
    with contextlib.suppress(ParseError):
        parse_event(torn)
