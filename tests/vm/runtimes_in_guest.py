# SPDX-License-Identifier: MIT
"""Runs in the guest: containers that systemd keeps, under cgroup v2, of Docker, of Podman and of containerd, as
Kubernetes makes them by the CRI and as nerdctl does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pod_in_guest
from engines_in_guest import (
    IMAGE,
    ends,
    is_up,
    life,
    lives,
    restarts,
    start_docker,
    start_podman,
)
from in_guest import Daemon, report, sh, wait_for
from pod_in_guest import Gpus

from hwinfod.owners.runtimes.link import open_channel
from hwinfod.sources.protobuf import decode, encode_bytes, encode_integer

ID = "ab" * 32
UID = "5f2c1f0e-1111-2222-3333-444455556666"
POD_SLICE = f"kubepods-burstable-pod{UID.replace('-', '_')}.slice"
SOCKET = "/run/containerd/containerd.sock"
CONFIG = f"""
version = 2
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{IMAGE}"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = true
"""


class Node:
    """A guest with the runtimes as services, and the daemon beside them."""

    def __init__(self) -> None:
        Path("/etc/containerd").mkdir(exist_ok=True)
        Path("/etc/containerd/config.toml").write_text(CONFIG)
        sh("systemctl start containerd")
        wait_for("containerd", lambda: self.ctr("version"))
        for namespace in ("default", "k8s.io"):
            self.ctr("--namespace", namespace, "images", "import", "--snapshotter", "native", "image.tar")
        self.docker, self.podman = start_docker(), start_podman()
        self.gpus = Gpus()
        self.daemon = Daemon("hwinfod", collector="containerd", flags=self.gpus.flags)
        wait_for("containerd is followed", lambda: self.figure("up") == 1)
        wait_for("engines are followed", lambda: all(is_up(self.daemon, each) for each in (self.docker, self.podman)))

    def figure(self, name: str) -> Any:
        """Of the link to containerd."""
        return self.daemon.values(f"hwinfod_runtime_{name}")["containerd", SOCKET]

    def ctr(self, *arguments: str) -> str:
        return subprocess.run(["ctr", *arguments], check=True, capture_output=True, text=True).stdout

    def run(self, name: str, *command: str, options: tuple[str, ...] = ()) -> None:
        """As nerdctl runs it with systemd's driver."""
        scope = f"system.slice:nerdctl:{name}"
        self.ctr("run", "--detach", "--snapshotter", "native", "--runc-systemd-cgroup", "--cgroup", scope,
                 "--label", "nerdctl/name=trainer", *options, IMAGE, name, *command)  # fmt: skip

    def remove(self, name: str) -> None:
        subprocess.run(["ctr", "task", "kill", "--signal", "SIGKILL", name], check=False)
        wait_for("it ends", lambda: f"{name} " not in self.ctr("task", "ls") or "STOPPED" in self.ctr("task", "ls"))
        subprocess.run(["ctr", "task", "delete", name], check=False)
        self.ctr("container", "delete", name)

    def life(self, container_id: str) -> Mapping[str, Any]:
        return life(self.daemon, container_id)

    def ask(self, method: str, request: bytes) -> str:
        """A call of the CRI. The id in the reply, where there is one."""

        async def call() -> bytes:
            channel = open_channel(SOCKET)
            try:
                return await channel.call(f"/runtime.v1.RuntimeService/{method}", request, seconds=100)
            finally:
                channel.close()

        return decode(asyncio.run(call())).text(1)


def _cgroup(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text().strip()


def check_a_container_in_a_scope_of_systemd(node: Node) -> None:
    node.run(ID, "/bin/sleep", "6000")
    assert list(wait_for("it is told", lambda: len(node.life(ID)) == 2 and node.life(ID))) == ["created", "started"]
    (pid,) = [int(line.split()[1]) for line in node.ctr("task", "ls").splitlines() if line.startswith(ID)]
    assert _cgroup(pid).endswith(f"/system.slice/nerdctl-{ID}.scope")
    node.remove(ID)
    wait_for("its end is told", lambda: "deleted" in node.life(ID))
    life = node.life(ID)
    assert list(life) == ["created", "started", "exited", "deleted"]
    assert life["exited"]["attributes"]["exit_code"] == "137"
    assert life["exited"]["owner"] == f"container:containerd:{ID[:12]}"
    assert life["exited"]["attributes"]["container"] == "trainer"


def check_out_of_memory_under_cgroup_v2(node: Node) -> None:
    """By containerd's event, which may come after the exit's, or by the kernel's log where containerd misses it:
    systemd removes the scope as soon as it is empty."""
    name = "cd" * 32
    node.run(name, "/bin/tail", "/dev/zero", options=("--memory-limit", str(16 << 20)))
    wait_for("it is told", lambda: sorted(node.life(name)) == ["created", "exited", "out of memory", "started"])
    node.remove(name)


def check_a_pod_of_the_cri(node: Node) -> None:
    """It holds what it was made for, and its end is told with that."""
    metadata = encode_bytes(1, "train-0") + encode_bytes(2, UID) + encode_bytes(3, "ml")
    on_the_nodes_network = encode_bytes(2, encode_bytes(1, encode_integer(1, 2)))
    linux = encode_bytes(1, f"/kubepods.slice/kubepods-burstable.slice/{POD_SLICE}") + on_the_nodes_network
    pod = encode_bytes(1, metadata) + encode_bytes(3, "/run/pod-logs") + encode_bytes(8, linux)
    sandbox = node.ask("RunPodSandbox", encode_bytes(1, pod))
    wanted = encode_bytes(1, sandbox) + encode_bytes(2, pod_in_guest.container()) + encode_bytes(3, pod)
    made = node.ask("CreateContainer", wanted)
    node.ask("StartContainer", encode_bytes(1, made))
    life = wait_for("it is told", lambda: len(node.life(made)) == 2 and node.life(made))
    names = {key: life["started"]["attributes"][key] for key in ("namespace", "pod", "container")}
    assert names == {"namespace": "ml", "pod": "train-0", "container": "cuda"}
    assert life["started"]["owner"] == f"pod:{UID}:{made[:12]}"
    lines = node.ctr("--namespace", "k8s.io", "task", "ls").splitlines()
    (pid,) = [int(line.split()[1]) for line in lines if line.startswith(made)]
    assert _cgroup(pid).endswith(f"/{POD_SLICE}/cri-containerd-{made}.scope")
    node.gpus.use(pid)
    pod_in_guest.wait_until_shown(node.daemon, pid, f"pod:{UID}:{made[:12]}")
    node.ask("StopPodSandbox", encode_bytes(1, sandbox))
    node.ask("RemovePodSandbox", encode_bytes(1, sandbox))
    wait_for("its end is told", lambda: "deleted" in node.life(made))
    assert list(node.life(made)) == ["created", "started", "exited", "deleted"]
    assert len(node.life(made)["exited"]["attributes"]["devices"].split()) == 3
    assert not node.life(sandbox)


def check_containerd_is_restarted_by_systemd(node: Node) -> None:
    stays, new = "01" * 32, "02" * 32
    node.run(stays, "/bin/sleep", "6000")
    wait_for("it is told", lambda: "started" in node.life(stays))
    sh("systemctl restart containerd")
    wait_for("it is lost", lambda: node.figure("connections_lost_total") == 1)
    wait_for("it is found", lambda: node.figure("up") == 1)
    node.run(new, "/bin/sleep", "6000")
    wait_for("the next is told", lambda: "started" in node.life(new))
    assert list(node.life(stays)) == ["created", "started"]
    for name in (stays, new):
        node.remove(name)


def check_docker(node: Node) -> None:
    lives(node.daemon, node.docker, "/system.slice/docker-{}.scope")
    ends(node.daemon, node.docker)


def check_docker_is_restarted_by_systemd(node: Node) -> None:
    restarts(node.daemon, node.docker, "docker")


def check_podman(node: Node) -> None:
    lives(node.daemon, node.podman, "/machine.slice/libpod-{}.scope")
    ends(node.daemon, node.podman)


def check_podman_is_restarted_by_systemd(node: Node) -> None:
    restarts(node.daemon, node.podman, "podman")


CHECKS = {name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")}

if __name__ == "__main__":
    sys.exit(report(CHECKS, Node()))
