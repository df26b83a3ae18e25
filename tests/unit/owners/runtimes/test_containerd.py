# SPDX-License-Identifier: MIT
"""containerd's containers through a real gRPC socket: names, life, devices, and a runtime that restarts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod.core.container import DeviceNode
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.health import State
from hwinfod.core.kill import Kill
from hwinfod.core.owner import ContainerName
from hwinfod.owners.runtimes.collector import ContainerdContainers
from hwinfod.sources import containerd
from tests.support.bench import Bench
from tests.support.runtimes import UIDS, Containerd, life, pod_spec, unavailable, until

A, B, C = "1f" * 32, "2e" * 32, "3d" * 32
SOCKET = containerd.SOCKETS[0]
LABELS = f"{{collector=containerd,socket={SOCKET}}}"
UVERBS = ("/dev/infiniband/uverbs1", 231, 193)


@pytest.fixture
def bench(directory: Path) -> Iterator[Bench]:
    bench = Bench(ContainerdContainers, directory)
    yield bench
    bench.runner.close()


@pytest.fixture
def server(directory: Path, bench: Bench) -> Iterator[Containerd]:
    server = Containerd(directory / f"root{SOCKET}", lambda: bench.clock.wall_ns())
    server.start()
    yield server
    server.stop()


def is_followed(bench: Bench, server: Containerd) -> bool:
    row = bench.runner.tables["sample"].latest
    return row is not None and bench.values().get(f"hwinfod_runtime_up{LABELS}") == 1 and server.listeners == 1


def follow(bench: Bench, server: Containerd) -> None:
    until(bench, lambda: is_followed(bench, server))


def test_a_host_without_containerd(directory: Path) -> None:
    assert Bench(ContainerdContainers, directory).attempt() is State.ABSENT


def test_what_is_there_is_known_and_no_news(bench: Bench, server: Containerd) -> None:
    server.create(A, pod_spec("train-0", "cuda", devices=(UVERBS,), env="NVIDIA_VISIBLE_DEVICES=GPU-1"))
    server.start_task(A)
    server.create(B, pod_spec("train-0", ""))
    server.create(C, scope="moby")
    server.create("web", labels={"nerdctl/name": "proxy"})
    follow(bench, server)
    cuda, sandbox, web = bench.host.containers.current["containerd"]
    assert cuda.name == ContainerName(A, "cuda", "ml", "train-0", UIDS.format(0), "train:1.4")
    assert (cuda.state, cuda.pid, cuda.runtime) == ("running", 4711, "containerd")
    assert (cuda.device_nodes, cuda.visible_devices) == ((DeviceNode(*UVERBS),), ("GPU-1",))
    assert (sandbox.is_sandbox, sandbox.name.container, sandbox.name.pod) == (True, "", "train-0")
    assert (web.name.container, web.state) == ("proxy", "unknown")
    assert [name.container_id for name in bench.host.names.current["containerd"].containers] == [A, B, "web"]
    assert bench.events() == []
    bench.runner.close()
    assert (dict(bench.host.containers.current), dict(bench.host.names.current)) == ({}, {})


def test_labels_name_a_pods_container_and_no_other(bench: Bench, server: Containerd) -> None:
    labels = {
        "io.kubernetes.container.name": "cuda", "io.kubernetes.pod.name": "train-9",
        "io.kubernetes.pod.namespace": "bank", "io.kubernetes.pod.uid": UIDS.format(0),
    }  # fmt: skip
    annotations = {"io.kubernetes.cri.sandbox-name": "train-0", "io.kubernetes.cri.sandbox-namespace": "ml"}
    server.create(A, json.dumps({"annotations": annotations}).encode(), labels=labels)
    sandbox = {**annotations, "io.kubernetes.cri.container-type": "sandbox"}
    server.create(B, json.dumps({"annotations": sandbox}).encode(), labels=labels)
    server.create("web", labels=labels)  # of its image
    follow(bench, server)
    assert [container.name for container in bench.host.containers.current["containerd"]] == [
        ContainerName(A, "cuda", "ml", "train-0", UIDS.format(0), "train:1.4"),
        ContainerName(B, "", "ml", "train-0", UIDS.format(0), "train:1.4"),
        ContainerName("web", "web", image="train:1.4"),
    ]


def test_a_life_is_told_with_its_devices(bench: Bench, server: Containerd) -> None:
    follow(bench, server)
    spec = pod_spec("train-0", "cuda", devices=(UVERBS,))
    for number, step in enumerate((
        lambda: server.create(A, spec), lambda: server.start_task(A), lambda: server.oom(A),
        lambda: server.exit(A, 137), lambda: server.delete(A),
    ), 1):  # fmt: skip
        bench.clock.advance(1)
        step()
        until(bench, lambda: len(life(bench, A)) == number)  # noqa: B023 - called within the turn
    assert life(bench, A) == ["created", "started", "out of memory", "exited", "deleted"]
    exited = bench.events()[3]
    assert exited.attributes == {
        "runtime": "containerd", "container_id": A, "container": "cuda", "namespace": "ml", "pod": "train-0",
        "image": "train:1.4", "device_nodes": "/dev/infiniband/uverbs1", "exit_code": "137",
    }  # fmt: skip
    assert exited.owner == f"pod:{UIDS.format(0)}:{A[:12]}"
    assert "train-0" not in exited.text
    assert {"pod", "container", "namespace", "image", "container_id"} <= exited.private
    until(bench, lambda: bench.host.containers.current["containerd"] == ())


def test_a_kill_that_containerd_misses_is_told_by_the_kernels_log(bench: Bench, server: Containerd) -> None:
    follow(bench, server)
    spec = pod_spec("train-0", "cuda", devices=(UVERBS,))
    for identifier in (A, B):
        server.create(identifier, spec)
        server.start_task(identifier)
    bench.host.kills.note(Kill(f"/system.slice/nerdctl-{C}.scope", bench.clock.wall_ns()))
    bench.host.kills.note(Kill(f"/kubepods.slice/cri-containerd-{A}.scope", bench.clock.wall_ns()))
    bench.host.kills.note(Kill("/user.slice", bench.clock.wall_ns()))
    bench.clock.advance(1)
    for identifier in (A, B):
        server.exit(identifier, 137)
    until(bench, lambda: "out of memory" in life(bench, A) and "exited" in life(bench, B))
    assert life(bench, A) == ["created", "started", "exited", "out of memory"]
    assert life(bench, B) == ["created", "started", "exited"]
    (killed,) = [event for event in bench.events() if event.kind is EventKind.CONTAINER_OOM_KILLED]
    assert (killed.attributes["container"], killed.severity) == ("cuda", Severity.WARNING)


def test_sandboxes_and_dockers_containers_are_not_told_of(bench: Bench, server: Containerd) -> None:
    follow(bench, server)
    server.create(B, pod_spec("train-0", ""))
    server.start_task(B)
    server.create(C, scope="moby")
    server.start_task(C, scope="moby")
    server.create(A, pod_spec("train-1", "cuda"))
    until(bench, lambda: life(bench, A))
    assert {event.attributes["container_id"] for event in bench.events()} == {A}


def test_a_runtime_that_restarts_loses_nothing_and_doubles_nothing(bench: Bench, server: Containerd) -> None:
    follow(bench, server)
    for name in (A, B):
        server.create(name, pod_spec("train-0", "cuda"))
        server.start_task(name)
    until(bench, lambda: "started" in life(bench, A) and "started" in life(bench, B))
    server.stop()
    until(bench, lambda: not is_followed(bench, server))
    assert len(bench.host.containers.current["containerd"]) == 2  # they run on without their runtime
    bench.clock.advance(60)
    server.exit(A, 3)
    server.delete(A)
    server.create(C, pod_spec("train-2", "new"))
    server.start_task(C)
    server.start()
    until(bench, lambda: life(bench, C) and "deleted" in life(bench, A))
    assert life(bench, A) == ["created", "started", "exited", "deleted"]
    assert life(bench, B) == ["created", "started"]
    assert life(bench, C) == ["created", "started"]
    follow(bench, server)
    bench.clock.advance(1)
    server.exit(B, 0)
    until(bench, lambda: "exited" in life(bench, B))
    assert bench.values()[f"hwinfod_runtime_connections_lost_total{LABELS}"] == 1


def test_what_happens_while_the_list_is_read_is_told_once(bench: Bench, server: Containerd) -> None:
    follow(bench, server)
    answer = server.answers[containerd.NAMESPACES_LIST]
    happened = []

    def list_late(request: bytes, metadata: dict[str, str]) -> bytes | list[bytes]:
        if not happened:
            happened.append(True)
            server.create(A, pod_spec("train-0", "cuda"))
            server.start_task(A)
            server.create(B, pod_spec("train-1", "cuda"))
            server.delete(B)
        return answer(request, metadata)

    bench.clock.advance(1)
    server.answers[containerd.NAMESPACES_LIST] = list_late
    until(bench, lambda: happened and server.calls.count(containerd.NAMESPACES_LIST) >= 4)
    assert (life(bench, A), life(bench, B)) == (["created", "started"], ["created", "deleted"])


def test_a_container_that_is_gone_before_it_is_asked_for(bench: Bench, server: Containerd) -> None:
    follow(bench, server)
    server.create(A)
    server.delete(A)
    until(bench, lambda: "deleted" in life(bench, A))
    assert life(bench, A) == ["created", "deleted"]


def test_what_happened_is_told_even_where_nobody_can_say_to_whom(bench: Bench, server: Containerd) -> None:
    follow(bench, server)
    server.answers[containerd.CONTAINERS_GET] = unavailable
    server.create(A, pod_spec("train-0", "cuda"))
    until(bench, lambda: life(bench, A))
    assert "container" not in bench.events()[0].attributes
    until(bench, lambda: bench.host.containers.current["containerd"][0].name.container == "cuda")  # by the next list
    assert life(bench, A) == ["created"]


def test_a_message_that_is_none_costs_itself(bench: Bench, server: Containerd) -> None:
    follow(bench, server)
    server.push(containerd.EVENTS_SUBSCRIBE, b"\xff" * 20)
    server.create(A, pod_spec("train-0", "cuda"))
    until(bench, lambda: life(bench, A))
    assert bench.values()[f"hwinfod_runtime_connections_lost_total{LABELS}"] == 0


def test_one_id_in_two_namespaces(bench: Bench, server: Containerd) -> None:
    follow(bench, server)
    server.create(A, pod_spec("train-0", "cuda"))
    server.create(A, pod_spec("train-9", "other"), scope="default")
    server.exit(A, 1, scope="default")
    server.create(B)
    until(bench, lambda: life(bench, B))
    assert life(bench, A) == ["created"]


def test_250_pods_on_one_node(bench: Bench, server: Containerd) -> None:
    for number in range(250):
        spec = pod_spec(f"train-{number}", "cuda", env="NVIDIA_VISIBLE_DEVICES=" + ",".join(map(str, range(8))))
        server.create(f"{number:064x}", spec)
        server.start_task(f"{number:064x}", 1000 + number)
    until(bench, lambda: len(bench.host.containers.current.get("containerd", ())) == 250)
    found = bench.host.containers.current["containerd"]
    assert {each.name.pod for each in found} == {f"train-{number}" for number in range(250)}
    assert all(each.state == "running" and len(each.visible_devices) == 8 for each in found)
