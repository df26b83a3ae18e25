# SPDX-License-Identifier: MIT
"""Pods on a real containerd, made as the kubelet makes them: by the CRI, in the cgroup of their pod."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from hwinfod.core.owner import ContainerName
from hwinfod.owners.runtimes.collector import ContainerdContainers, CriContainers
from hwinfod.owners.runtimes.grpc import Channel
from tests.support import oci_image
from tests.support.container_runtimes import Containerd
from tests.support.protobuf import message_classes
from tests.support.watched_runtime import watch

pytestmark = pytest.mark.tier("runtimes")

UID = "5f2c1f0e-1111-2222-3333-444455556666"
NAMES = {"name": "train-0", "uid": UID, "namespace": "ml"}
LABELS = {
    "io.kubernetes.container.name": "cuda", "io.kubernetes.pod.name": "train-0",
    "io.kubernetes.pod.namespace": "ml", "io.kubernetes.pod.uid": UID,
}  # fmt: skip
ON_THE_NODES_NETWORK = {"network": 2}
# kubernetes/cri-api pkg/apis/runtime/v1/api.proto
T = message_classes(
    """
    PodMetadata: name=1 string, uid=2 string, namespace=3 string, attempt=4 uint32
    NamespaceOption: network=1 int32
    SandboxSecurity: namespace_options=1 NamespaceOption
    LinuxSandbox: cgroup_parent=1 string, security_context=2 SandboxSecurity
    SandboxConfig: metadata=1 PodMetadata, log_directory=3 string, labels=6 map, linux=8 LinuxSandbox
    RunPodSandbox: config=1 SandboxConfig
    Id: id=1 string
    Metadata: name=1 string, attempt=2 uint32
    Image: image=1 string
    Device: container_path=1 string, host_path=2 string, permissions=3 string
    ContainerConfig: metadata=1 Metadata, image=2 Image, command=3 *string, devices=8 *Device, labels=9 map
    CreateContainer: pod_sandbox_id=1 string, config=2 ContainerConfig, sandbox_config=3 SandboxConfig
    """,
    package="kubelet",
)


class Kubelet:
    """What a kubelet asks its runtime, one call after the other."""

    def __init__(self, containerd: Containerd) -> None:
        self._path = str(containerd.socket)
        linux = {"cgroup_parent": f"/kubepods/burstable/pod{UID}",
                 "security_context": {"namespace_options": ON_THE_NODES_NETWORK}}  # fmt: skip
        self._config = {"metadata": NAMES, "linux": linux, "log_directory": str(containerd.directory)}

    def call(self, method: str, kind: str, **fields: Any) -> str:
        """The id in the reply, where there is one."""

        async def ask() -> bytes:
            channel = Channel(self._path)
            try:
                request = T[kind](**fields).SerializeToString()
                return await channel.call(f"/runtime.v1.RuntimeService/{method}", request, seconds=20)
            finally:
                channel.close()

        return str(T["Id"].FromString(asyncio.run(ask())).id)

    def run_pod(self) -> str:
        return self.call("RunPodSandbox", "RunPodSandbox", config=self._config)

    def start(self, sandbox: str, *command: str) -> str:
        config = {
            "metadata": {"name": "cuda"}, "image": {"image": oci_image.NAME}, "command": command, "labels": LABELS,
            "devices": [{"container_path": "/dev/gpu0", "host_path": "/dev/null", "permissions": "rw"}],
        }  # fmt: skip
        container = self.call(
            "CreateContainer", "CreateContainer", pod_sandbox_id=sandbox, config=config, sandbox_config=self._config
        )
        self.call("StartContainer", "Id", id=container)
        return container

    def remove_pod(self, sandbox: str) -> None:
        self.call("StopPodSandbox", "Id", id=sandbox)
        self.call("RemovePodSandbox", "Id", id=sandbox)


@pytest.fixture
def kubelet(containerd: Containerd) -> Iterator[Kubelet]:
    yield Kubelet(containerd)
    for name in containerd.ctr("task", "ls", "--quiet", namespace="k8s.io").split():
        containerd.ctr("task", "kill", "--signal", "SIGKILL", name, namespace="k8s.io", check=False)


def test_a_pods_container(containerd: Containerd, kubelet: Kubelet) -> None:
    with watch(ContainerdContainers, containerd.root) as watched:
        sandbox = kubelet.run_pod()
        container = kubelet.start(sandbox, "/bin/sleep", "600")
        watched.until(lambda: watched.life("cuda") == ["created", "started"])
        watched.until(lambda: watched.containers()["cuda"].pid)
        found = watched.containers()["cuda"]
        assert found.name == ContainerName(container, "cuda", "ml", "train-0", UID, oci_image.NAME)
        assert [(node.path, node.major, node.minor) for node in found.device_nodes] == [("/dev/gpu0", 1, 3)]
        assert found.pid is not None
        owner = watched.owner_of(found.pid)
        assert (owner.label, owner.labels[1:5]) == ("ml/train-0", ("pod", "ml", "train-0", "cuda"))
        kubelet.remove_pod(sandbox)
        watched.until(lambda: "deleted" in watched.life("cuda"))
        assert watched.lives() == {"cuda": ["created", "started", "exited", "deleted"]}  # and nothing of the sandbox
        exited = watched.events("cuda")[2]
        assert (exited.owner, exited.device, exited.attributes["exit_code"]) == (owner.id, "GPU-1", "137")


def test_the_cri_says_the_same_names(containerd: Containerd, kubelet: Kubelet) -> None:
    sandbox = kubelet.run_pod()
    container = kubelet.start(sandbox, "/bin/sleep", "600")
    with watch(CriContainers, containerd.root) as watched, watch(ContainerdContainers, containerd.root) as other:
        named = set(watched.host.names.current["cri"].containers)
        cuda, pause = (
            ContainerName(container, "cuda", "ml", "train-0", UID),
            ContainerName(sandbox, "", "ml", "train-0", UID),
        )
        assert named == {cuda, pause}
        assert {name._replace(image="") for name in other.host.names.current["containerd"].containers} == named
        assert watched.host.containers.current["cri"] == ()
    kubelet.remove_pod(sandbox)
