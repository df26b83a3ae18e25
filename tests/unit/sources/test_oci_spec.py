# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.core.container import DeviceNode
from hwinfod.errors import ParseError
from hwinfod.sources.oci_spec import CONTAINERD, CRIO, MOST_DEVICES, OciSpec, parse_spec, spec_of

DATA = Path(__file__).parent / "data"
GPU = "GPU-7d8429d5-531d-d6a6-6510-3b662081a75a"


def test_containerd_with_a_kubelet() -> None:
    spec = parse_spec((DATA / "oci_containerd_cri.json").read_bytes(), CONTAINERD)
    assert spec == OciSpec(
        container="cuda",
        namespace="ml",
        pod="train-0",
        pod_uid="8d3f1c52-7a61-4b1e-9c0d-5e6f7a8b9c0d",
        image="registry.example.org/train:1.4",
        is_sandbox=False,
        cgroups_path="kubepods-burstable-pod8d3f1c52_7a61_4b1e_9c0d_5e6f7a8b9c0d.slice:cri-containerd:" + "1f" * 32,
        devices=(DeviceNode("/dev/infiniband/uverbs1", 231, 193), DeviceNode("/dev/kfd", 510, 0)),
        visible_devices=(GPU,),
        may_open_all_devices=False,
    )


def test_crio_sandbox() -> None:
    spec = parse_spec((DATA / "oci_crio_sandbox.json").read_bytes(), CRIO)
    assert (spec.namespace, spec.pod, spec.container, spec.is_sandbox) == (
        "openshift-dns",
        "dns-default-x7k2p",
        "",
        True,
    )


CGROUPS = (
    f"kubepods-pod8d3f1c52_7a61_4b1e_9c0d_5e6f7a8b9c0d.slice:crio:{'1f' * 32}",
    f"/kubepods/burstable/pod8d3f1c52-7a61-4b1e-9c0d-5e6f7a8b9c0d/crio-{'1f' * 32}",
)


def by_crio(cgroups_path: str = CGROUPS[0], **annotations: str) -> OciSpec:
    """A container's, with what a tenant annotates his pod with."""
    written = {
        "io.container.manager": "cri-o",
        "io.kubernetes.cri-o.ContainerType": "container",
        "io.kubernetes.container.name": "dns",
        "io.kubernetes.pod.name": "dns-default-x7k2p",
        "io.kubernetes.pod.namespace": "openshift-dns",
        "io.kubernetes.pod.uid": "u",
        "io.kubernetes.cri-o.ImageName": "quay.io/dns:4",
    }
    return spec_of({"annotations": {**annotations, **written}, "linux": {"cgroupsPath": cgroups_path}}, CRIO)


@pytest.mark.parametrize("cgroups_path", CGROUPS)
def test_crio_container(cgroups_path: str) -> None:
    assert by_crio(cgroups_path)[:6] == ("dns", "openshift-dns", "dns-default-x7k2p", "u", "quay.io/dns:4", False)


def test_annotations_of_a_tenant_name_nothing() -> None:
    forged = {
        "io.kubernetes.cri.container-type": "sandbox",
        "io.kubernetes.cri.sandbox-namespace": "bank",
        "io.kubernetes.cri.sandbox-name": "victim",
        "io.kubernetes.cri.sandbox-uid": "v",
        "io.kubernetes.cri.container-name": "ledger",
        "io.kubernetes.cri.image-name": "bank/ledger:1",
        "nerdctl/name": "ledger",
    }
    assert by_crio(**forged) == by_crio()


def test_a_sandbox_does_not_become_a_container_by_what_its_pod_says() -> None:
    document = json.loads((DATA / "oci_crio_sandbox.json").read_bytes())
    document["annotations"] |= {"io.kubernetes.cri-o.ContainerType": "container", "io.container.manager": "libpod"}
    assert spec_of(document, CRIO) == parse_spec((DATA / "oci_crio_sandbox.json").read_bytes(), CRIO)


@pytest.mark.parametrize(
    "cgroups_path", [f"machine.slice:libpod:{'1f' * 32}", f"/libpod_parent/libpod-{'1f' * 32}", ""]
)
def test_annotations_of_an_image_name_nothing(cgroups_path: str) -> None:
    """Podman copies them."""
    assert by_crio(cgroups_path)[:6] == ("", "", "", "", "", False)


def test_containerd_does_not_write_as_crio_does() -> None:
    annotations = {"io.kubernetes.pod.name": "victim", "io.kubernetes.container.name": "ledger"}
    assert spec_of({"annotations": annotations}, CONTAINERD)[:6] == ("", "", "", "", "", False)


def test_a_sandbox_of_containerd_has_no_container() -> None:
    annotations = {"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.container-name": "ledger"}
    spec = spec_of({"annotations": annotations}, CONTAINERD)
    assert (spec.container, spec.is_sandbox) == ("", True)


def test_nerdctl() -> None:
    assert spec_of({"annotations": {"nerdctl/name": "web"}}, CONTAINERD).container == "web"


def test_a_privileged_container_says_so() -> None:
    spec = parse_spec((DATA / "oci_docker_privileged.json").read_bytes(), CONTAINERD)
    assert spec.may_open_all_devices
    assert spec.devices[0] == DeviceNode("/dev/nvidia0", 195, 0)
    assert (spec.pod, spec.container, spec.visible_devices) == ("", "", ("all",))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"allow": True, "access": "rwm"}, True),
        ({"allow": True, "type": "a", "access": "rwm"}, True),
        ({"allow": True, "type": "a", "major": -1, "minor": -1, "access": "rwm"}, True),
        ({"allow": False, "access": "rwm"}, False),
        ({"allow": True, "type": "c", "access": "m"}, False),
        ({"allow": True, "type": "c", "major": 195, "minor": 0, "access": "rwm"}, False),
        ({"allow": True, "major": 195, "access": "rwm"}, False),
        ({"allow": "true"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_device_rules(rule: object, expected: bool) -> None:
    assert (
        spec_of({"linux": {"resources": {"devices": [{"allow": False}, rule]}}}, CONTAINERD).may_open_all_devices
        is expected
    )


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (["NVIDIA_VISIBLE_DEVICES=0,1"], ("0", "1")),
        (["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_VISIBLE_DEVICES=none"], ("none",)),
        (["NVIDIA_VISIBLE_DEVICES="], ()),
        ([f"NVIDIA_VISIBLE_DEVICES= {GPU} ,, MIG-x"], (GPU, "MIG-x")),
        (["X_NVIDIA_VISIBLE_DEVICES=0"], ()),
        (["NVIDIA_VISIBLE_DEVICES"], ()),
        ([7, None], ()),
        ("NVIDIA_VISIBLE_DEVICES=0", ()),
    ],
)
def test_visible_devices(environment: object, expected: tuple[str, ...]) -> None:
    assert spec_of({"process": {"env": environment}}, CONTAINERD).visible_devices == expected


def test_volume_mounts_stand_for_the_variable() -> None:
    mounts = [{"destination": f"/var/run/nvidia-container-devices/{name}"} for name in (GPU, "", "1")]
    document = {"process": {"env": ["NVIDIA_VISIBLE_DEVICES=all"]}, "mounts": [{"destination": "/dev"}, *mounts]}
    assert spec_of(document, CONTAINERD).visible_devices == (GPU, "1")


def test_no_other_variable_is_kept() -> None:
    secret = "hunter2"
    document = {"process": {"env": [f"TOKEN={secret}", "NVIDIA_VISIBLE_DEVICES=0"], "args": [secret]}}
    assert secret not in repr(spec_of(document, CONTAINERD))


@pytest.mark.parametrize(
    "device",
    [
        None,
        {},
        {"path": "/dev/x", "type": "c"},
        {"path": 1, "type": "c", "major": 1, "minor": 1},
        {"path": "/dev/x", "type": "p", "major": 1, "minor": 1},
        {"path": "/dev/x", "type": "c", "major": "1", "minor": 1},
    ],
)
def test_a_device_of_another_shape_is_left_out(device: object) -> None:
    good = {"path": "/dev/y", "type": "u", "major": 1, "minor": 2}
    assert spec_of({"linux": {"devices": [device, good]}}, CONTAINERD).devices == (DeviceNode("/dev/y", 1, 2),)


def test_devices_are_bounded() -> None:
    device = {"path": "/dev/y", "type": "b", "major": 1, "minor": 2}
    assert len(spec_of({"linux": {"devices": [device] * (MOST_DEVICES + 5)}}, CONTAINERD).devices) == MOST_DEVICES


def test_names_are_printable() -> None:
    hostile = {"annotations": {"io.kubernetes.cri.sandbox-name": "a\nb\x1b[2J\ud800"}}
    assert spec_of(hostile, CONTAINERD).pod == "a b [2J?"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda item: (
        st.lists(item, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                "annotations linux cgroupsPath devices resources process env mounts path type major minor allow".split()
            ),
            item,
            max_size=6,
        )
    ),
    max_leaves=40,
)


RUNTIMES = st.sampled_from([CONTAINERD, CRIO])


@given(JSON, RUNTIMES)
def test_a_document_of_any_shape(document: object, runtime: str) -> None:
    assert parse_spec(json.dumps(document).encode(), runtime).pod == ""


@given(st.binary(), RUNTIMES)
def test_arbitrary_bytes(data: bytes, runtime: str) -> None:
    with contextlib.suppress(ParseError):
        parse_spec(data, runtime)
