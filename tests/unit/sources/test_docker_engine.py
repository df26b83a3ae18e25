# SPDX-License-Identifier: MIT
"""Answers of Docker Engine 20.10 and Podman 4.3, cut to what is read and its neighbours."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.docker_engine import (
    EngineContainer,
    EngineDetails,
    EngineEvent,
    EngineName,
    inspect_path,
    parse_containers,
    parse_engine,
    parse_event,
    parse_inspect,
    request,
)

ID = "1f" * 32
UID = "5f2c1f0e-1111-2222-3333-444455556666"
JUPYTER = EngineName("jupyter", "", "", "", "jupyter:1", False)
LIST = [
    {"Id": ID, "Names": ["/jupyter"], "Image": "jupyter:1", "Labels": {}, "State": "running", "Created": 1764000000},
    {"Id": "2e" * 32, "Names": [f"/k8s_cuda_train-0_ml_{UID}_0"], "Labels": {
        "io.kubernetes.container.name": "cuda", "io.kubernetes.pod.name": "train-0",
        "io.kubernetes.pod.namespace": "ml", "io.kubernetes.pod.uid": UID,
    }},
    {"Id": "3d" * 32, "Names": [f"/k8s_POD_train-0_ml_{UID}_0"], "State": "exited", "Labels": {
        "io.kubernetes.docker.type": "podsandbox", "io.kubernetes.pod.name": "train-0",
        "io.kubernetes.pod.namespace": "ml", "io.kubernetes.pod.uid": UID,
    }},
    {"Id": "", "Names": ["/x"]}, {"Id": "4c", "Names": None}, 7,
]  # fmt: skip


def test_request() -> None:
    assert request("/x") == b"GET /x HTTP/1.0\r\nHost: docker\r\n\r\n"
    assert inspect_path(ID) == f"/containers/{ID}/json"


@pytest.mark.parametrize("identifier", ["", "a/../b", "a b", "a\r\nb", "\u00e4", "a?b"])
def test_an_id_that_is_none_is_not_asked_for(identifier: str) -> None:
    with pytest.raises(ParseError):
        inspect_path(identifier)


@pytest.mark.parametrize(
    ("version", "engine"),
    [
        ({"Components": [{"Name": "Podman Engine", "Version": "4.3.1"}, {"Name": "Conmon"}]}, "podman"),
        ({"Components": [{"Name": "Engine", "Version": "20.10.24"}, {"Name": "containerd"}]}, "docker"),
        ({"Version": "17.03.2-ce", "ApiVersion": "1.27"}, "docker"),
        ({"Components": [7]}, "docker"),
    ],
)
def test_which_engine_it_is(version: object, engine: str) -> None:
    assert parse_engine(json.dumps(version).encode()) == engine


def test_containers() -> None:
    assert parse_containers(json.dumps(LIST).encode()) == [
        EngineContainer(ID, JUPYTER, "running", 1764000000_000000000),
        EngineContainer("2e" * 32, EngineName("cuda", "ml", "train-0", UID, "", False), "unknown", 0),
        EngineContainer("3d" * 32, EngineName("", "ml", "train-0", UID, "", True), "exited", 0),
    ]


def details(**changes: object) -> EngineDetails:
    document: dict[str, object] = {
        "Id": ID,
        "Name": "/jupyter",
        "State": {"Status": "running", "Pid": 4711, "ExitCode": 0, "OOMKilled": False, "Running": True},
        "HostConfig": {"Privileged": False, "Devices": None, "DeviceRequests": None},
        "Config": {"Env": ["PATH=/bin", "SECRET=x"], "Image": "jupyter:1", "Labels": {}},
    }
    for name, value in changes.items():
        document[name] = {**document[name], **value} if isinstance(value, dict) else value  # type: ignore[dict-item]
    return parse_inspect(json.dumps(document).encode())


def test_inspect() -> None:
    assert details() == EngineDetails(ID, JUPYTER, "running", 4711, 0, False, False, (), ())
    over = details(State={"Status": "exited", "Pid": 0, "ExitCode": 137, "OOMKilled": True})
    assert (over.state, over.exit_code, over.was_out_of_memory) == ("exited", 137, True)
    assert details(HostConfig={"Privileged": True}).is_privileged


PODS_LABELS = {
    "io.kubernetes.docker.type": "podsandbox", "io.kubernetes.container.name": "cuda",
    "io.kubernetes.pod.name": "train-0", "io.kubernetes.pod.namespace": "ml", "io.kubernetes.pod.uid": UID,
}  # fmt: skip


def test_names_of_a_pods_container() -> None:
    labels = {**PODS_LABELS, "io.kubernetes.docker.type": "container"}
    again = f"/k8s_cuda_train-0_ml_{UID}_0_5fa2"  # where the name was taken
    assert details(Name=again, Config={"Labels": labels}).name == EngineName(
        "cuda", "ml", "train-0", UID, "jupyter:1", False
    )


@pytest.mark.parametrize("name", ["jupyter", "k8s_jupyter", f"k8s_cuda_other-0_ml_{UID}_0", "k8s_cuda_train-0_ml_u_0"])
def test_labels_of_an_image_name_nothing(name: str) -> None:
    found = details(Name=f"/{name}", Config={"Labels": PODS_LABELS})
    assert found.name == EngineName(name, "", "", "", "jupyter:1", False)


def test_devices_of_the_host() -> None:
    nodes = [{"PathOnHost": "/dev/infiniband/uverbs1", "PathInContainer": "/dev/uverbs", "CgroupPermissions": "rwm"}]
    assert details(HostConfig={"Devices": nodes}).device_paths == (("/dev/uverbs", "/dev/infiniband/uverbs1"),)


@pytest.mark.parametrize(
    ("wanted", "devices"),
    [
        ({"Driver": "", "Count": -1, "DeviceIDs": None, "Capabilities": [["gpu"]]}, ("all",)),
        ({"Driver": "nvidia", "Count": 0, "DeviceIDs": ["0", "GPU-1"], "Capabilities": [["gpu"]]}, ("0", "GPU-1")),
        ({"Driver": "", "Count": 2, "DeviceIDs": None, "Capabilities": [["gpu"]]}, ()),
        ({"Driver": "cdi", "Count": 0, "DeviceIDs": ["vendor.com/x=0"]}, ()),
    ],
)
def test_gpus(wanted: dict[str, object], devices: tuple[str, ...]) -> None:
    assert details(HostConfig={"DeviceRequests": [wanted]}).devices == devices


def test_gpus_by_the_environment() -> None:
    assert details(Config={"Env": ["NVIDIA_VISIBLE_DEVICES=GPU-1,GPU-2"]}).devices == ("GPU-1", "GPU-2")


def event(action: str, **attributes: str) -> bytes:
    return json.dumps(
        {
            "status": action, "id": ID, "from": "x", "Type": "container", "Action": action,
            "Actor": {"ID": ID, "Attributes": {"image": "x", "name": "web", **attributes}},
            "scope": "local", "time": 1795324510, "timeNano": 1795324510983558162,
        }
    ).encode() + b"\n"  # fmt: skip


@pytest.mark.parametrize(
    ("line", "kind", "exit_code"),
    [
        (event("create"), "created", None),
        (event("start"), "started", None),
        (event("die", exitCode="137"), "exited", 137),
        (event("died", containerExitCode="7"), "exited", 7),
        (event("die", exitCode="many"), "exited", None),
        (event("oom"), "oom", None),
        (event("destroy"), "deleted", None),
        (event("remove", containerExitCode="0"), "deleted", None),
        (event("rename"), "renamed", None),
    ],
)
def test_event(line: bytes, kind: str, exit_code: int | None) -> None:
    assert parse_event(line) == EngineEvent(ID, kind, 1795324510983558162, exit_code)


@pytest.mark.parametrize("line", [event("exec_create: sh"), event("health_status"), b'{"Type":"image"}', b"[]", b"1"])
def test_other_events(line: bytes) -> None:
    assert parse_event(line) is None


KEYS = (
    "Id Names Labels State Status HostConfig Devices DeviceRequests DeviceIDs Config Env Actor Attributes Action Type "
    "ID timeNano Created Capabilities exitCode Components Name"
).split()
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
        )
    ),
)


@given(st.binary() | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_anything_is_parsed_or_refused(data: bytes) -> None:
    for parse in (parse_engine, parse_containers, parse_inspect, parse_event):
        with contextlib.suppress(ParseError):
            parse(data)
