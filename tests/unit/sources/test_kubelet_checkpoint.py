# SPDX-License-Identifier: MIT
from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import Gone, ParseError
from hwinfod.sources.files import Roots
from hwinfod.sources.kubelet_checkpoint import CHECKPOINT, DeviceEntry, parse_checkpoint, read_checkpoint
from tests.support.protobuf import message_classes

UID = "a7461dc1-023a-4bd5-a403-c738bb1d7db4"
GPU = "GPU-7d8429d5-531d-d6a6-6510-3b662081a75a"

Response = message_classes(
    """
    Mount: container_path=1 string, host_path=2 string, read_only=3 bool
    DeviceSpec: container_path=1 string, host_path=2 string, permissions=3 string
    CdiDevice: name=1 string
    ContainerAllocateResponse: envs=1 map, mounts=2 *Mount, devices=3 *DeviceSpec, annotations=4 map,\
 cdi_devices=5 *CdiDevice
    """
)["ContainerAllocateResponse"]


def response(**fields: object) -> str:
    return base64.b64encode(Response(**fields).SerializeToString()).decode()


def checkpoint(*entries: object, **more: object) -> bytes:
    data = {"PodDeviceEntries": list(entries), "RegisteredDevices": {"nvidia.com/gpu": [GPU]}}
    return json.dumps({"Data": data, "Checksum": 3227383621, **more}).encode()


def entry(**fields: object) -> dict[str, object]:
    return {"PodUID": UID, "ContainerName": "cuda", "ResourceName": "nvidia.com/gpu", "DeviceIDs": {}, **fields}


def test_a_gpu_by_environment() -> None:
    data = checkpoint(entry(DeviceIDs={"-1": [GPU]}, AllocResp=response(envs={"NVIDIA_VISIBLE_DEVICES": GPU})))
    assert parse_checkpoint(data).entries == (DeviceEntry(UID, "cuda", "nvidia.com/gpu", (GPU,), (), ()),)


def test_devices_by_path_and_numa_node() -> None:
    nodes = [
        {"container_path": f"/dev/x{n}", "host_path": f"/dev/infiniband/uverbs{n}", "permissions": "rw"} for n in (0, 1)
    ]
    data = checkpoint(
        entry(
            ResourceName="rdma/hca",
            DeviceIDs={"0": ["0000:1a:00.0"], "1": ["0000:9a:00.0", "0000:9b:00.0"]},
            AllocResp=response(devices=nodes),
        )
    )
    (found,) = parse_checkpoint(data).entries
    assert found.device_ids == ("0000:1a:00.0", "0000:9a:00.0", "0000:9b:00.0")
    assert found.device_paths == ("/dev/infiniband/uverbs0", "/dev/infiniband/uverbs1")


def test_devices_by_cdi() -> None:
    data = checkpoint(entry(AllocResp=response(cdi_devices=[{"name": f"nvidia.com/gpu={GPU}"}])))
    assert parse_checkpoint(data).entries[0].cdi_devices == (f"nvidia.com/gpu={GPU}",)


def test_what_is_shared_by_mps() -> None:
    answers = [response(envs={name: "x"}) for name in ("CUDA_MPS_PIPE_DIRECTORY", "NVIDIA_VISIBLE_DEVICES")]
    found = parse_checkpoint(checkpoint(*(entry(AllocResp=answer) for answer in answers))).entries
    assert [each.uses_mps for each in found] == [True, False]


def test_all_devices_of_the_node() -> None:
    assert parse_checkpoint(checkpoint()).registered == {"nvidia.com/gpu": (GPU,)}


def test_a_list_of_ids_as_before_1_20() -> None:
    assert parse_checkpoint(checkpoint(entry(DeviceIDs=[GPU, "x"]))).entries[0].device_ids == (GPU, "x")


@pytest.mark.parametrize("answer", [None, 7, "", "%%%", "AAAA", base64.b64encode(b"\x1a\x7f").decode(), "\u00e4"])
def test_a_broken_answer_does_not_cost_the_entry(answer: object) -> None:
    (found,) = parse_checkpoint(checkpoint(entry(DeviceIDs={"0": [GPU]}, AllocResp=answer))).entries
    assert found == DeviceEntry(UID, "cuda", "nvidia.com/gpu", (GPU,), (), ())


def test_nothing_allocated() -> None:
    assert parse_checkpoint(b'{"Data":{"PodDeviceEntries":null,"RegisteredDevices":{}},"Checksum":1}') == ((), {})


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"data":{}}', b'{"Data":'])
def test_what_is_no_checkpoint(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_checkpoint(data)


@pytest.mark.parametrize("item", [None, [], "x", {"DeviceIDs": {"0": [1, None]}, "PodUID": ["x"], "ContainerName": {}}])
def test_an_entry_of_another_shape_is_empty(item: object) -> None:
    assert parse_checkpoint(checkpoint(item)).entries == (DeviceEntry("", "", "", (), (), ()),)


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        parse_checkpoint(data)
    answer = base64.b64encode(data).decode()
    assert len(parse_checkpoint(checkpoint(entry(AllocResp=answer))).entries) == 1


def test_read(tmp_path: Path) -> None:
    roots = Roots(rootfs=str(tmp_path))
    with pytest.raises(Gone):
        read_checkpoint(roots)
    path = tmp_path / CHECKPOINT.lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_bytes(checkpoint(entry(DeviceIDs={"0": [GPU]})))
    assert read_checkpoint(roots).entries[0].device_ids == (GPU,)
