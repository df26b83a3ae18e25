# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.pod_resources import Claim, ContainerDevices, Devices, device_of, parse_allocatable, parse_list
from tests.support.protobuf import message_classes

GPU = "GPU-7d8429d5-531d-d6a6-6510-3b662081a75a"
MIG = "MIG-41b36db6-9b84-5d9d-9bf5-3d1d25f5ab5f"

# kubernetes/kubelet pkg/apis/podresources/v1/api.proto, with neighbours that are not read
T = message_classes(
    """
    Node: ID=1 int64
    Topology: nodes=1 *Node
    Devices: resource_name=1 string, device_ids=2 *string, topology=3 Topology
    Memory: memory_type=1 string, size=2 uint64, topology=3 Topology
    Cdi: name=1 string
    ClaimResource: cdi_devices=1 *Cdi, driver_name=2 string, pool_name=3 string, device_name=4 string
    Dynamic: claim_name=2 string, claim_namespace=3 string, claim_resources=4 *ClaimResource
    Container: name=1 string, devices=2 *Devices, cpu_ids=3 *int64, memory=4 *Memory, dynamic_resources=5 *Dynamic
    Pod: name=1 string, namespace=2 string, containers=3 *Container, cpu_ids=4 *int64, memory=5 *Memory
    ListPodResourcesResponse: pod_resources=1 *Pod
    AllocatableResourcesResponse: devices=1 *Devices, cpu_ids=2 *int64, memory=3 *Memory
    """
)
List = T["ListPodResourcesResponse"]


def test_devices_and_claims() -> None:
    nodes = {"nodes": [{"ID": 1}]}
    cuda = {
        "name": "cuda",
        "devices": [
            {"resource_name": "nvidia.com/gpu", "device_ids": [GPU + "::0", MIG], "topology": nodes},
            {"resource_name": "rdma/hca", "device_ids": ["0000:1a:00.0"]},
        ],
        "cpu_ids": [0, 1, 200],
        "memory": [{"memory_type": "hugepages-2Mi", "size": 2**40}],
    }
    claim = {
        "claim_name": "gpu-claim",
        "claim_namespace": "ml",
        "claim_resources": [
            {
                "cdi_devices": [{"name": "k8s.gpu.nvidia.com/device=gpu-0"}],
                "driver_name": "gpu.nvidia.com",
                "pool_name": "node1",
                "device_name": "gpu-0",
            }
        ],
    }
    pods = [
        {"name": "train-0", "namespace": "ml", "containers": [cuda, {"name": "sidecar", "cpu_ids": [3]}]},
        {"name": "dra", "namespace": "ml", "containers": [{"name": "main", "dynamic_resources": [claim]}]},
        {"name": "idle", "namespace": "default", "containers": []},
    ]
    assert parse_list(List(pod_resources=pods).SerializeToString()) == [
        ContainerDevices(
            "ml",
            "train-0",
            "cuda",
            (Devices("nvidia.com/gpu", (GPU + "::0", MIG)), Devices("rdma/hca", ("0000:1a:00.0",))),
            (),
        ),
        ContainerDevices(
            "ml",
            "dra",
            "main",
            (),
            (Claim("ml", "gpu-claim", "gpu.nvidia.com", "node1", "gpu-0", ("k8s.gpu.nvidia.com/device=gpu-0",)),),
        ),
    ]


def test_allocatable() -> None:
    devices = [{"resource_name": "nvidia.com/gpu", "device_ids": [GPU], "topology": {"nodes": [{"ID": 1}]}}]
    reply = T["AllocatableResourcesResponse"](devices=devices, cpu_ids=[0, 1]).SerializeToString()
    assert parse_allocatable(reply) == [Devices("nvidia.com/gpu", (GPU,))]


def test_an_empty_node() -> None:
    assert parse_list(b"") == []


@pytest.mark.parametrize(
    ("device_id", "device"),
    [
        (GPU, GPU),
        (GPU + "::3", GPU),
        (GPU + "-0", GPU),
        (GPU + "-12", GPU),
        (MIG, MIG),
        (MIG + "::1", MIG),
        (MIG + "-1", MIG),
        ("GPU-short-1", "GPU-short-1"),
        (GPU + "0", GPU + "0"),
        ("0000:1a:00.0", "0000:1a:00.0"),
        ("nvidia0", "nvidia0"),
        ("1::2", "1"),
        ("", ""),
    ],
)
def test_the_device_behind_an_id(device_id: str, device: str) -> None:
    assert device_of(device_id) == device


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    for parse in (parse_list, parse_allocatable):
        with contextlib.suppress(ParseError):
            parse(data)


@given(st.text())
def test_any_id(device_id: str) -> None:
    assert device_id.startswith(device_of(device_id))
