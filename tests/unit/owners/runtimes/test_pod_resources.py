# SPDX-License-Identifier: MIT
"""Allocations from a kubelet at a real gRPC socket: whole GPUs, shared ones, MIG instances, claims, 250 pods."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod.core.allocation import Allocatable, Allocation, Allocations, Claim
from hwinfod.core.health import State
from hwinfod.owners.runtimes import link
from hwinfod.owners.runtimes.collector import PodResources
from hwinfod.owners.runtimes.pod_resources import SOURCE, allocations_of
from hwinfod.sources import pod_resources
from tests.support.bench import Bench
from tests.support.runtimes import Kubelet, not_served, until

GPUS = [f"GPU-00000000-0000-0000-0000-{number:012d}" for number in range(8)]
MIG = "MIG-41b36db6-9b84-5d9d-9bf5-3d1d25f5ab5f"
GPU = "nvidia.com/gpu"


@pytest.fixture
def bench(directory: Path) -> Iterator[Bench]:
    bench = Bench(PodResources, directory)
    yield bench
    bench.runner.close()


@pytest.fixture
def kubelet(directory: Path) -> Iterator[Kubelet]:
    server = Kubelet(directory / f"root{pod_resources.SOCKET}")
    server.start()
    yield server
    server.stop()


def pod(name: str, *devices: tuple[str, list[str]], claims: object = ()) -> dict[str, object]:
    given = [{"resource_name": resource, "device_ids": ids} for resource, ids in devices]
    return {"name": name, "namespace": "ml", "containers": [
        {"name": "cuda", "devices": given, "dynamic_resources": claims}, {"name": "sidecar"},
    ]}  # fmt: skip


def said(bench: Bench) -> Allocations:
    return bench.host.allocations.current[SOURCE]


def learn(bench: Bench) -> Allocations:
    until(bench, lambda: SOURCE in bench.host.allocations.current)
    return said(bench)


def test_a_host_without_a_kubelet(bench: Bench) -> None:
    assert bench.attempt() is State.ABSENT


def test_whole_shared_and_sliced_devices(bench: Bench, kubelet: Kubelet) -> None:
    kubelet.pods = [
        pod("whole-0", (GPU, GPUS[:1]), (GPU, GPUS[1:2]), ("rdma/hca", ["0000:1a:00.0"])),
        pod("shared-0", (GPU, [f"{GPUS[2]}::0", f"{GPUS[2]}::1"])),
        pod("mig-0", ("nvidia.com/mig-1g.10gb", [MIG])),
        pod("plain-0"),
    ]
    kubelet.allocatable = [{"resource_name": GPU, "device_ids": [f"{GPUS[2]}::0"]},
                           {"resource_name": GPU, "device_ids": GPUS[:2]}]  # fmt: skip
    found = learn(bench)
    both = tuple(GPUS[:2])
    assert found.allocations == (
        Allocation("ml", "whole-0", "cuda", GPU, both, both, SOURCE),
        Allocation("ml", "whole-0", "cuda", "rdma/hca", ("0000:1a:00.0",), ("0000:1a:00.0",), SOURCE),
        Allocation("ml", "shared-0", "cuda", GPU, (f"{GPUS[2]}::0", f"{GPUS[2]}::1"), (GPUS[2],), SOURCE),
        Allocation("ml", "mig-0", "cuda", "nvidia.com/mig-1g.10gb", (MIG,), (MIG,), SOURCE),
    )
    assert [each.is_shared for each in found.allocations] == [False, False, True, False]
    assert found.allocatable == (Allocatable(GPU, (f"{GPUS[2]}::0", *both), (GPUS[2], *both)),)
    assert bench.values()[f"hwinfod_runtime_containers{{collector=pod_resources,socket={pod_resources.SOCKET}}}"] == 3


def test_claims(bench: Bench, kubelet: Kubelet) -> None:
    def claim(cdi: str) -> list[dict[str, object]]:
        resource = {
            "cdi_devices": [{"name": cdi}], "driver_name": "gpu.nvidia.com", "pool_name": "node1",
            "device_name": "gpu-0",
        }  # fmt: skip
        return [{"claim_name": "one-gpu", "claim_namespace": "ml", "claim_resources": [resource]}]

    made_up, by_uuid = "k8s.gpu.nvidia.com/device=gpu-0", f"k8s.gpu.nvidia.com/device={GPUS[0]}"
    kubelet.pods = [pod("dra-0", claims=claim(made_up)), pod("dra-1", claims=claim(by_uuid))]
    first, second = learn(bench).allocations
    assert first == Allocation(
        "ml", "dra-0", "cuda", "gpu.nvidia.com", ("gpu-0",), ("gpu-0",), SOURCE,
        claim=Claim("one-gpu", "gpu.nvidia.com", "node1", "gpu-0", (made_up,)),
    )  # fmt: skip
    assert second.devices == (GPUS[0],)


def test_250_pods_and_8_gpus(bench: Bench, kubelet: Kubelet) -> None:
    kubelet.pods = [pod(f"train-{number}", (GPU, [f"{GPUS[number % 8]}::{number // 8}"])) for number in range(250)]
    found = learn(bench).allocations
    assert len(found) == 250
    assert {device for each in found for device in each.devices} == set(GPUS)


def test_what_changes_is_said_anew_and_what_does_not_is_not(bench: Bench, kubelet: Kubelet) -> None:
    kubelet.pods = [pod("train-0", (GPU, GPUS[:1]))]
    before = learn(bench)
    asked = len(kubelet.calls)
    until(bench, lambda: len(kubelet.calls) >= asked + 4)
    assert said(bench) is before
    kubelet.pods = []
    until(bench, lambda: said(bench).allocations == ())
    bench.runner.close()
    assert dict(bench.host.allocations.current) == {}


def test_an_old_kubelet_does_not_say_what_it_may_give(bench: Bench, kubelet: Kubelet) -> None:
    kubelet.answers[pod_resources.GET_ALLOCATABLE] = not_served
    kubelet.pods = [pod("train-0", (GPU, GPUS[:1]))]
    found = learn(bench)
    assert (len(found.allocations), found.allocatable) == (1, ())


def test_a_kubelet_that_restarts_keeps_what_it_gave(bench: Bench, kubelet: Kubelet) -> None:
    kubelet.pods = [pod("train-0", (GPU, GPUS[:1]))]
    before = learn(bench)
    kubelet.stop()
    up = f"hwinfod_runtime_up{{collector=pod_resources,socket={pod_resources.SOCKET}}}"
    until(bench, lambda: bench.values()[up] == 0)
    assert said(bench) is before
    kubelet.pods.append(pod("train-1", (GPU, GPUS[1:2])))
    kubelet.start()
    until(bench, lambda: len(said(bench).allocations) == 2)
    assert bench.values()[up] == 1


def test_a_socket_that_is_not_ours_is_said(bench: Bench, kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link.os, "access", lambda *_, **__: False)
    (reason,) = learn(bench).blind
    assert reason.startswith(f"attribution blind: {pod_resources.SOCKET} may not be opened, devices that the kubelet")
    assert "runtime-sockets.conf" in reason
    before = said(bench)
    bench.run()
    assert said(bench) is before
    monkeypatch.undo()
    kubelet.stop()
    kubelet.start()
    until(bench, lambda: said(bench).blind == ())


def test_no_containers() -> None:
    assert list(allocations_of([])) == []
