# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.cri import (
    CriContainer,
    CriEvent,
    CriSandbox,
    encode_container_status,
    encode_version,
    parse_container_status,
    parse_event,
    parse_list_containers,
    parse_list_pod_sandbox,
    parse_runtime_name,
)
from hwinfod.sources.protobuf import encode_bytes
from tests.support.protobuf import message_classes

SPEC = json.loads((Path(__file__).parent / "data/oci_containerd_cri.json").read_text("utf-8"))
A, SANDBOX = "1f" * 32, "2e" * 32

# kubernetes/cri-api pkg/apis/runtime/v1/api.proto, with neighbours that are not read
T = message_classes(
    """
    StateValue: state=1 int32
    Filter: id=1 string, state=2 StateValue, pod_sandbox_id=3 string, label_selector=4 map
    ListContainersRequest: filter=1 Filter
    Metadata: name=1 string, attempt=2 uint32
    Image: image=1 string, annotations=2 map, user_specified_image=18 string
    Container: id=1 string, pod_sandbox_id=2 string, metadata=3 Metadata, image=4 Image, image_ref=5 string,\
 state=6 int32, created_at=7 int64, labels=8 map, annotations=9 map, image_id=10 string
    ListContainersResponse: containers=1 *Container
    ContainerStatusRequest: container_id=1 string, verbose=2 bool
    Mount: container_path=1 string, host_path=2 string
    ContainerStatus: id=1 string, metadata=2 Metadata, state=3 int32, created_at=4 int64, started_at=5 int64,\
 finished_at=6 int64, exit_code=7 int32, image=8 Image, image_ref=9 string, reason=10 string, message=11 string,\
 labels=12 map, annotations=13 map, mounts=14 *Mount, log_path=15 string
    ContainerStatusResponse: status=1 ContainerStatus, info=2 map
    VersionRequest: version=1 string
    VersionResponse: version=1 string, runtime_name=2 string, runtime_version=3 string
    PodMetadata: name=1 string, uid=2 string, namespace=3 string, attempt=4 uint32
    PodSandbox: id=1 string, metadata=2 PodMetadata, state=3 int32, created_at=4 int64, labels=5 map
    ListPodSandboxResponse: items=1 *PodSandbox
    PodSandboxStatus: id=1 string, metadata=2 PodMetadata
    ContainerEventResponse: container_id=1 string, container_event_type=2 int32, created_at=3 int64,\
 pod_sandbox_status=4 PodSandboxStatus,\
 containers_statuses=5 *ContainerStatus
    """
)

CONTAINER = {
    "id": A,
    "pod_sandbox_id": SANDBOX,
    "metadata": {"name": "cuda", "attempt": 2},
    "image": {"image": "sha256:abc", "annotations": {"a": "b"}},
    "image_ref": "sha256:abc",
    "state": 1,
    "created_at": 1_764_000_000_123_456_789,
    "labels": {
        "io.kubernetes.container.name": "cuda",
        "io.kubernetes.pod.name": "train-0",
        "io.kubernetes.pod.namespace": "ml",
        "io.kubernetes.pod.uid": "8d3f1c52-7a61-4b1e-9c0d-5e6f7a8b9c0d",
    },
    "annotations": {"io.kubernetes.container.hash": "1"},
}


def test_list_containers() -> None:
    data = T["ListContainersResponse"](containers=[CONTAINER, {"id": "bare", "state": 9}]).SerializeToString()
    first, second = parse_list_containers(data)
    assert first == CriContainer(
        container_id=A,
        sandbox_id=SANDBOX,
        container="cuda",
        attempt=2,
        image="sha256:abc",
        state="running",
        created_ns=1_764_000_000_123_456_789,
        namespace="ml",
        pod="train-0",
        pod_uid="8d3f1c52-7a61-4b1e-9c0d-5e6f7a8b9c0d",
    )
    assert (second.container_id, second.state, second.pod) == ("bare", "unknown", "")


@pytest.mark.parametrize(("number", "state"), list(enumerate(["created", "running", "exited", "unknown"])))
def test_states(number: int, state: str) -> None:
    data = T["ListContainersResponse"](containers=[{"state": number}]).SerializeToString()
    assert parse_list_containers(data)[0].state == state


def test_version() -> None:
    assert T["VersionRequest"].FromString(encode_version()).version == "0.1.0"
    reply = T["VersionResponse"](version="0.1.0", runtime_name="cri-o", runtime_version="1.30.0").SerializeToString()
    assert parse_runtime_name(reply) == "cri-o"


def test_sandboxes() -> None:
    metadata = {"name": "train-0", "uid": "u", "namespace": "ml", "attempt": 1}
    reply = T["ListPodSandboxResponse"](items=[{"id": SANDBOX, "metadata": metadata, "labels": {"a": "b"}}])
    assert parse_list_pod_sandbox(reply.SerializeToString()) == [CriSandbox(SANDBOX, "ml", "train-0", "u")]


@pytest.mark.parametrize("verbose", [True, False])
def test_status_request(verbose: bool) -> None:
    request = T["ContainerStatusRequest"].FromString(encode_container_status(A, verbose=verbose))
    assert (request.container_id, request.verbose) == (A, verbose)


def status(info: dict[str, str]) -> bytes:
    image = {"image": "sha256:abc", "user_specified_image": "train:1.4"}
    life = {
        "id": A, "state": 2, "started_at": 5, "finished_at": 7, "exit_code": 137, "reason": "OOMKilled", "image": image,
    }  # fmt: skip
    return T["ContainerStatusResponse"](status=life, info=info).SerializeToString()


def test_status() -> None:
    found = parse_container_status(status({}))
    assert found[:6] == (A, "exited", 5, 7, 137, "OOMKilled")
    assert found.image == "train:1.4"
    assert (found.pid, found.spec) == (None, None)


def test_verbose_status() -> None:
    forged = {**SPEC, "annotations": {"io.kubernetes.cri.container-type": "sandbox"}}
    info = {"info": json.dumps({"sandboxID": SANDBOX, "pid": 4711, "runtimeSpec": forged}), "more": "{"}
    found = parse_container_status(status(info))
    assert found.pid == 4711
    assert found.spec is not None
    assert found.spec.devices[0].minor == 193
    assert not found.spec.is_sandbox


def test_info_stands_anywhere_in_the_map() -> None:
    other, info = (encode_bytes(1, key) + encode_bytes(2, text) for key, text in (("a", "{"), ("info", '{"pid":7}')))
    for entries in ((other, info), (info, other)):
        assert parse_container_status(b"".join(encode_bytes(2, entry) for entry in entries)).pid == 7


@pytest.mark.parametrize("info", ["", "{", "[]", "{}", '{"pid": "x"}', "\u00e4", "[" * 100_000])
def test_free_form_info_costs_nothing_else(info: str) -> None:
    found = parse_container_status(status({"info": info}))
    assert (found.container_id, found.pid, found.spec) == (A, None, None)


@pytest.mark.parametrize(("number", "kind"), list(enumerate(["created", "started", "stopped", "deleted", "unknown"])))
def test_event(number: int, kind: str) -> None:
    message = T["ContainerEventResponse"](container_id=A, container_event_type=number, created_at=9)
    assert parse_event(message.SerializeToString()) == CriEvent(A, kind, 9)


def test_event_of_a_sandbox() -> None:
    sandbox = T["ContainerEventResponse"](container_id=SANDBOX, pod_sandbox_status={"id": SANDBOX})
    assert parse_event(sandbox.SerializeToString()) == CriEvent(SANDBOX, "created", 0, is_sandbox=True)
    container = T["ContainerEventResponse"](container_id=A, pod_sandbox_status={"id": SANDBOX})
    assert not parse_event(container.SerializeToString()).is_sandbox


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    for parse in (
        parse_list_containers,
        parse_list_pod_sandbox,
        parse_container_status,
        parse_event,
        parse_runtime_name,
    ):
        with contextlib.suppress(ParseError):
            parse(data)


@given(st.binary(max_size=60), st.integers(0))
def test_a_damaged_answer(noise: bytes, place: int) -> None:
    whole = T["ListContainersResponse"](containers=[CONTAINER]).SerializeToString()
    place %= len(whole)
    with contextlib.suppress(ParseError):
        parse_list_containers(whole[:place] + noise + whole[place + len(noise) :])
