# SPDX-License-Identifier: MIT
"""The CRI: the whole life of CRI-O's containers, and second names for containerd's and Docker's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from hwinfod.core.health import State
from hwinfod.core.owner import ContainerName
from hwinfod.owners.runtimes import link
from hwinfod.owners.runtimes.collector import CriContainers
from hwinfod.sources import containerd, cri
from tests.support.bench import Bench
from tests.support.runtimes import UIDS, Crio, life, packed, pod_spec, until

A, B = "1f" * 32, "2e" * 32
CRIO, CONTAINERD = cri.CRIO_SOCKETS[0], containerd.SOCKETS[0]
LOST = f"hwinfod_runtime_connections_lost_total{{collector=cri,socket={CRIO}}}"


@pytest.fixture
def bench(directory: Path) -> Iterator[Bench]:
    bench = Bench(CriContainers, directory)
    yield bench
    bench.runner.close()


@pytest.fixture
def serve(directory: Path, bench: Bench) -> Iterator[Callable[..., Crio]]:
    servers = []

    def start(socket: str = CRIO, **how: object) -> Crio:
        server = Crio(directory / f"root{socket}", bench.clock.wall_ns, **how)
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


def is_up(bench: Bench, socket: str = CRIO) -> bool:
    row = bench.runner.tables["sample"].latest
    return row is not None and bench.values().get(f"hwinfod_runtime_up{{collector=cri,socket={socket}}}") == 1


def refuse_status(server: Crio, status: Status) -> None:
    """Nobody can say how the container A is."""
    answer = server.answers[cri.CONTAINER_STATUS]

    def refuse(*asked: Any) -> bytes:
        if asked[0] == cri.encode_container_status(A, verbose=True):
            raise GRPCError(status, "failed to get container info")
        return answer(*asked)

    server.answers[cri.CONTAINER_STATUS] = refuse


def live(bench: Bench, server: Crio, told: tuple[int, ...]) -> None:
    """One container's life, a second a step; `told` is how many events each step is waited for to make it."""
    steps = (
        lambda: server.create(A, "train-0", "cuda", pod_spec("train-0", "cuda", env="NVIDIA_VISIBLE_DEVICES=MIG-1")),
        lambda: server.start_container(A),
        lambda: server.exit(A, 137, "OOMKilled"),
        lambda: server.delete(A),
    )
    for number, step in zip(told, steps):
        bench.clock.advance(1)
        step()
        until(bench, lambda: len(life(bench, A)) >= number)  # noqa: B023 - called within the turn


def test_a_life_by_events(bench: Bench, serve: Callable[..., Crio]) -> None:
    server = serve()
    until(bench, lambda: is_up(bench) and server.listeners)
    live(bench, server, (1, 2, 4, 5))
    assert life(bench, A) == ["created", "started", "out of memory", "exited", "deleted"]
    exited = bench.events()[3]
    assert exited.owner == f"pod:{UIDS.format(0)}:{A[:12]}"
    assert exited.device == "MIG-1"
    assert {key: exited.attributes[key] for key in ("runtime", "pod", "container", "image", "exit_code")} == {
        "runtime": "cri-o", "pod": "train-0", "container": "cuda", "image": "train:1.4", "exit_code": "137",
    }  # fmt: skip


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.UNAVAILABLE], ids=["of it", "of all"])
def test_the_end_of_a_container_that_nobody_can_say_more_of(
    bench: Bench, serve: Callable[..., Crio], status: Status
) -> None:
    server = serve()
    until(bench, lambda: is_up(bench) and server.listeners)
    server.create(A, "train-0", "cuda")
    server.start_container(A)
    until(bench, lambda: len(life(bench, A)) == 2)
    refuse_status(server, status)
    bench.clock.advance(1)
    server.exit(A, 1)
    until(bench, lambda: len(life(bench, A)) == 3)
    assert life(bench, A) == ["created", "started", "exited"]


def test_a_container_that_has_no_status_costs_itself(bench: Bench, serve: Callable[..., Crio]) -> None:
    server = serve()
    refuse_status(server, Status.UNKNOWN)
    for number, each in enumerate((A, B)):
        server.create(each, f"train-{number}", "cuda")
        server.start_container(each)
    until(bench, lambda: is_up(bench) and len(bench.host.containers.current["cri"]) == 2)
    pids = {container.name.pod: container.pid for container in bench.host.containers.current["cri"]}
    assert pids == {"train-0": None, "train-1": 4711}


@pytest.mark.parametrize("has_stream", [False, True], ids=["unknown", "ends"])
def test_a_life_by_lists_alone(bench: Bench, serve: Callable[..., Crio], *, has_stream: bool) -> None:
    server = serve(has_events=False)
    if has_stream:  # CRI-O's default: it ends at once, and all is well
        server.answers[cri.GET_CONTAINER_EVENTS] = lambda *_: []
    until(bench, lambda: is_up(bench))
    live(bench, server, (1, 2, 4, 5))
    assert life(bench, A) == ["created", "started", "out of memory", "exited", "deleted"]
    assert bench.events()[3].attributes["exit_code"] == "137"
    assert bench.values()[LOST] == 0
    assert server.calls.count(cri.GET_CONTAINER_EVENTS) == 1


def test_a_stream_that_told_something_and_ended_is_asked_for_again(bench: Bench, serve: Callable[..., Crio]) -> None:
    server = serve(has_events=False)
    event = packed("CriEvent", container_id=A, container_event_type=0, created_at=bench.clock.wall_ns())
    server.answers[cri.GET_CONTAINER_EVENTS] = lambda *_: [event]
    until(bench, lambda: server.calls.count(cri.GET_CONTAINER_EVENTS) > 1)


def test_what_is_there(bench: Bench, serve: Callable[..., Crio]) -> None:
    server = serve()
    server.create(A, "train-0", "cuda", pod_spec("train-0", "cuda", devices=(("/dev/kfd", 510, 0),)))
    server.start_container(A)
    until(bench, lambda: is_up(bench))
    name = ContainerName(A, "cuda", "ml", "train-0", UIDS.format(0), "train:1.4")
    (found,) = bench.host.containers.current["cri"]
    assert (found.name, found.runtime, found.state, found.pid) == (name, "cri-o", "running", 4711)
    assert found.device_nodes[0].path == "/dev/kfd"
    sandbox = ContainerName("sandbox of train-0", "", "ml", "train-0", UIDS.format(0))
    assert bench.host.names.current["cri"].containers == (name._replace(image=""), sandbox)
    assert bench.events() == []


def test_a_sandbox_is_no_container(bench: Bench, serve: Callable[..., Crio]) -> None:
    server = serve()
    until(bench, lambda: is_up(bench) and server.listeners)
    server.tell_of_sandbox("train-0")
    server.create(A, "train-0", "cuda")
    until(bench, lambda: life(bench, A))
    assert len(bench.events()) == 1


@pytest.mark.parametrize("name", ["containerd", "docker"])
def test_of_other_runtimes_the_names_alone(bench: Bench, serve: Callable[..., Crio], name: str) -> None:
    server = serve(CONTAINERD, name=name)
    server.create(A, "train-0", "cuda")
    until(bench, lambda: is_up(bench, CONTAINERD))
    server.create(B, "train-1", "cuda")
    server.start_container(A)
    until(bench, lambda: len(bench.host.names.current["cri"].containers) == 4)
    assert (bench.events(), bench.host.containers.current["cri"]) == ([], ())
    assert cri.CONTAINER_STATUS not in server.calls


def test_a_runtime_that_hangs_costs_only_itself(
    bench: Bench, serve: Callable[..., Crio], monkeypatch: pytest.MonkeyPatch
) -> None:
    grpc = pytest.importorskip("hwinfod.owners.runtimes.grpc")
    monkeypatch.setattr(grpc.Channel.call, "__defaults__", (b"", None, 0.2))
    hung, well = serve(CONTAINERD, name="containerd"), serve()
    hung.hangs = set(hung.answers)
    well.create(A, "train-0", "cuda")
    until(bench, lambda: is_up(bench) and CONTAINERD in bench.skipped)
    assert "timed out" in bench.skipped[CONTAINERD]
    assert [name.container for name in bench.host.names.current["cri"].containers] == ["cuda", ""]
    hung.hangs.clear()
    until(bench, lambda: is_up(bench, CONTAINERD))
    assert bench.skipped == {}


def test_a_runtime_that_comes_later(bench: Bench, serve: Callable[..., Crio]) -> None:
    serve(CONTAINERD, name="containerd")
    until(bench, lambda: is_up(bench, CONTAINERD))
    assert not [name for name in bench.values() if CRIO in name]
    serve().create(A, "train-0", "cuda")
    until(bench, lambda: is_up(bench) and bench.host.containers.current["cri"])


def test_a_host_whose_runtimes_are_gone_for_good(bench: Bench, serve: Callable[..., Crio]) -> None:
    server = serve()
    until(bench, lambda: is_up(bench))
    server.stop()
    until(bench, lambda: not is_up(bench) and not bench.skipped)  # looked for again, and not found
    assert bench.attempt(after=299) is State.OK
    assert bench.attempt(after=2) is State.ABSENT
    assert (dict(bench.host.names.current), dict(bench.host.containers.current)) == ({}, {})


def test_what_may_not_be_opened_is_said_once(
    bench: Bench, serve: Callable[..., Crio], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link.os, "access", lambda *_, **__: False)
    serve()
    serve(CONTAINERD)
    until(bench, lambda: "cri" in bench.host.names.current and bench.host.names.current["cri"].blind)
    (reason,) = bench.host.names.current["cri"].blind  # of containerd's the collector `containerd` says it
    assert reason.startswith(f"attribution blind: {CRIO} may not be opened")
    assert bench.skipped == {}
