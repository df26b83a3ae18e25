# SPDX-License-Identifier: MIT
"""What a bundle says that a container was given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwinfod.core.allocation import Allocation
from hwinfod.core.container import DeviceNode
from hwinfod.core.owner import ContainerName
from hwinfod.owners.allocated.given import allocation_of, node_path
from hwinfod.sources.files import Roots
from hwinfod.sources.oci_bundle import Bundle
from hwinfod.sources.oci_spec import CONTAINERD, parse_spec
from tests.support.allocations import CID, NVIDIA, UID

HOOK = {"prestart": [{"path": "/usr/bin/nvidia-container-runtime-hook", "args": ["x", "prestart"]}]}
CDI_HOOK = {"createContainer": [{"path": "/usr/bin/nvidia-cdi-hook"}]}
PRIVILEGED = {"resources": {"devices": [{"allow": True, "access": "rwm"}]}}
POD = {"io.kubernetes.cri.sandbox-name": "train-0", "io.kubernetes.cri.sandbox-uid": UID}


def char(path: str, major: int, minor: int) -> dict[str, Any]:
    return {"path": path, "type": "c", "major": major, "minor": minor}


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """A host whose /dev has a render node, a card and the verbs of a network card."""
    links = {
        "226:137": "drm/renderD137",
        "226:9": "drm/card9",
        "231:192": "infiniband_verbs/uverbs0",
        "1:3": "mem/null",
    }
    directory = tmp_path / "sys/dev/char"
    directory.mkdir(parents=True)
    for number, target in links.items():
        (directory / number).symlink_to(f"../../devices/x/{target}")
    return Roots(sysfs=str(tmp_path / "sys"))


def given(roots: Roots, visible: str = "", **fields: Any) -> Allocation | None:
    linux = {
        "cgroupsPath": f"system.slice:docker:{CID}",
        "devices": fields.pop("devices", []),
        **fields.pop("linux", {}),
    }
    env = ["PATH=/bin", *([f"NVIDIA_VISIBLE_DEVICES={visible}"] if visible else []), *fields.pop("env", [])]
    document = {"process": {"env": env}, "linux": linux, **fields}
    spec = parse_spec(json.dumps(document).encode(), CONTAINERD)
    return allocation_of(Bundle(CID, "moby", "/x"), spec, ContainerName(CID, "jupyter"), roots)


def test_docker_with_gpus(roots: Roots) -> None:
    found = given(roots, "0,GPU-1", hooks=HOOK)
    assert found is not None
    assert (found.container, found.runtime, found.container_id) == ("jupyter", "docker", CID)
    assert (found.device_ids, found.nodes, found.source) == (("0", "GPU-1"), (), "bundle")


@pytest.mark.parametrize("visible", ["", "none", "void"])
def test_nothing_asked_for(roots: Roots, visible: str) -> None:
    assert given(roots, visible, hooks=HOOK) is None


def test_a_variable_that_nobody_obeys_gives_nothing(roots: Roots) -> None:
    assert given(roots, "all") is None
    assert given(roots, "all", hooks={"prestart": [{"path": "/usr/bin/netavark"}]}) is None


def test_all_is_an_allocation_of_docker_and_none_of_a_pod(roots: Roots) -> None:
    found = given(roots, "all", hooks=HOOK)
    assert found is not None
    assert found.device_ids == ("all",)
    nodes = [char("/dev/nvidia0", 195, 0), char("/dev/infiniband/uverbs0", 231, 192)]
    assert given(roots, "all", hooks=HOOK, annotations=POD, devices=nodes[:1]) is None
    found = given(roots, "all", hooks=CDI_HOOK, annotations=POD, devices=nodes)
    assert found is not None
    assert (found.device_ids, found.nodes) == ((), ("/dev/infiniband/uverbs0",))


def test_a_pod_with_devices_that_its_plugin_gave(roots: Roots) -> None:
    found = given(roots, NVIDIA[1], hooks=HOOK, annotations=POD, env=["CUDA_MPS_PIPE_DIRECTORY=/mps"])
    assert found is not None
    assert (found.pod, found.pod_uid, found.device_ids, found.uses_mps) == ("train-0", UID, (NVIDIA[1],), True)


def test_device_nodes_by_their_numbers_and_not_by_the_containers_names(roots: Roots) -> None:
    nodes = [char("/dev/dri/renderD128", 226, 137), char("/dev/null", 1, 3), char("/dev/kfd", 235, 0)]
    found = given(roots, devices=nodes)
    assert found is not None
    assert found.nodes == ("/dev/dri/renderD137",)
    assert not found.uses_mps


def test_a_privileged_container_was_given_nothing(roots: Roots) -> None:
    assert given(roots, "0", hooks=HOOK, linux=PRIVILEGED, devices=[char("/dev/nvidia0", 195, 0)]) is None


def test_a_sandbox_was_given_nothing(roots: Roots) -> None:
    sandbox = {**POD, "io.kubernetes.cri.container-type": "sandbox"}
    assert given(roots, "0", hooks=HOOK, annotations=sandbox) is None


@pytest.mark.parametrize(
    ("major", "minor", "path"),
    [
        (195, 0, "/dev/nvidia0"), (195, 253, "/dev/nvidia253"), (195, 255, ""), (195, 254, ""),
        (226, 9, "/dev/dri/card9"), (231, 192, "/dev/infiniband/uverbs0"), (226, 200, ""), (1, 3, ""),
    ],
)  # fmt: skip
def test_the_hosts_name_of_a_node(roots: Roots, major: int, minor: int, path: str) -> None:
    assert node_path(roots, DeviceNode("/dev/x", major, minor)) == path
