# SPDX-License-Identifier: MIT
"""Container life as events: with the devices that were held or given, and bounded when containers churn."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from hwinfod.core.container import Container, DeviceNode
from hwinfod.core.device import Device
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.grant import Grant, Granted, Grantee
from hwinfod.core.host import Host
from hwinfod.core.owner import Attribution, ContainerName, Holder, OwnerRecord
from hwinfod.owners.cgroup import resolve_path
from hwinfod.owners.naming import id_of
from hwinfod.owners.runtimes.ledger import CREATED, EXITED, OOM, STARTED, Told
from hwinfod.owners.runtimes.teller import TOLD_A_MINUTE, Teller, owner_id
from tests.support.owners import POD, UID, A, B
from tests.unit.core.builders import FakeClock, make_host

CUDA = Container(ContainerName(A, "cuda", "ml", "train-0", UID), "containerd", "exited", exit_code=1)
WEB = Container(ContainerName(B, "web"), "docker", "exited", exit_code=0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def host(clock: FakeClock) -> Host:
    host = make_host(clock)
    gpus = (Device(f"GPU-{number}", "gpu", f"gpu {number}", {"gpu": str(number)}) for number in range(2))
    host.devices.reconcile("test", gpus)
    return host


def held(host: Host, container: Container, *devices: str) -> None:
    """Attribution has seen the container's processes hold devices."""
    holders = tuple(Holder(device, 7, 7, "python", 0, {}) for device in devices)
    identity = {"container_id": container.id}
    record = OwnerRecord(owner_id(container), "x", ("",) * 7, identity, 0, 0, holders)
    host.attribution = Attribution(1, MappingProxyType({record.id: record}))


def tell(host: Host, teller: Teller, container: Container, kind: str = EXITED) -> dict[str, str]:
    teller.tell([Told(kind, container)])
    return dict(host.events.since(0)[-1].attributes)


def test_the_owner_is_the_one_that_attribution_names() -> None:
    assert owner_id(CUDA) == id_of(resolve_path(POD))
    assert owner_id(WEB) == id_of(resolve_path(f"/docker/{B}"))


def test_what_was_held_is_told_after_it_was_let_go(host: Host) -> None:
    teller = Teller(host)
    held(host, CUDA, "GPU-0", "rdma:mlx5_0", "GPU-0")
    teller.look()
    host.attribution = Attribution(2)
    teller.look()
    assert tell(host, teller, CUDA)["devices"] == "GPU-0 rdma:mlx5_0"


def test_what_was_given_is_told_too(host: Host) -> None:
    labels = ("ml/train-0", "pod", "ml", "train-0", "cuda", "", "")
    grants = (Grant("GPU-1", "", "whole", 1.0, "nvidia.com/gpu", ("GPU-1",), ("pod-resources",)),
              Grant("GPU-0", "MIG-7", "mig", 0.1, "nvidia.com/mig", ("MIG-7",), ("pod-resources",)))  # fmt: skip
    grantee = Grantee(
        id="somebody", label="ml/train-0", labels=labels, identity={}, uid=0, since_boottime_ns=0, grants=grants
    )
    host.granted = Granted(1, MappingProxyType({"somebody": grantee}))
    assert tell(host, Teller(host), CUDA)["devices"] == "GPU-1 MIG-7"
    assert "devices" not in tell(host, Teller(host), WEB)


@pytest.mark.parametrize(
    ("visible", "devices"), [(("0",), "GPU-0"), (("GPU-1",), "GPU-1"), (("all",), "GPU-0 GPU-1"), (("MIG-7",), "MIG-7")]
)
def test_what_nvidias_runtime_was_told(host: Host, visible: tuple[str, ...], devices: str) -> None:
    container = Container(CUDA.name, "containerd", visible_devices=visible)
    assert tell(host, Teller(host), container, CREATED)["devices"] == devices


def test_a_privileged_container_was_given_nothing(host: Host) -> None:
    node = DeviceNode("/dev/nvidia0", 195, 0)
    container = Container(
        CUDA.name, "containerd", device_nodes=(node,), visible_devices=("all",), may_open_all_devices=True
    )
    assert not {"devices", "device_nodes"} & tell(host, Teller(host), container, STARTED).keys()


def test_one_device_is_the_events_own(host: Host) -> None:
    teller = Teller(host)
    held(host, CUDA, "GPU-0")
    teller.look()
    tell(host, teller, CUDA)
    (event,) = host.events.since(0)
    assert (event.device, event.kind, event.severity) == ("GPU-0", EventKind.CONTAINER_EXITED, Severity.WARNING)


@pytest.mark.parametrize(
    ("exit_code", "severity"),
    [(0, Severity.INFO), (1, Severity.WARNING), (139, Severity.WARNING), (143, Severity.INFO), (137, Severity.INFO)],
)
def test_how_it_ended_on_a_gpu(host: Host, exit_code: int, severity: Severity) -> None:
    teller = Teller(host)
    held(host, CUDA, "GPU-0")
    teller.look()
    tell(host, teller, Container(CUDA.name, "containerd", "exited", exit_code=exit_code))
    assert host.events.since(0)[0].severity is severity


@pytest.mark.parametrize(
    ("kind", "container", "severity"),
    [(OOM, WEB, Severity.WARNING), (EXITED, CUDA, Severity.INFO), (STARTED, WEB, Severity.INFO)],
)
def test_severity(host: Host, kind: str, container: Container, severity: Severity) -> None:
    tell(host, Teller(host), container, kind)
    assert host.events.since(0)[0].severity is severity


def test_nothing_of_a_sandbox(host: Host) -> None:
    Teller(host).tell([Told(CREATED, Container(CUDA.name, "containerd", is_sandbox=True))])
    assert host.events.since(0) == []


def test_thousands_of_containers_do_not_push_out_the_rest(host: Host, clock: FakeClock) -> None:
    teller = Teller(host)

    def churn(count: int) -> None:
        for number in range(count):
            name = ContainerName(f"{number:064x}", "batch")
            teller.tell([Told(kind, Container(name, "docker", exit_code=0)) for kind in (CREATED, STARTED, EXITED)])

    churn(5_000)
    held(host, CUDA, "GPU-0")
    teller.look()
    assert tell(host, teller, CUDA)["devices"] == "GPU-0"
    events = host.events.since(0)
    assert len(events) == TOLD_A_MINUTE + 3 + 1
    assert sum(event.count for event in events) == 15_001
    many = [event for event in events if event.count > 1]
    assert all("one of many" in event.text and not event.attributes and not event.owner for event in many)
    clock.advance(61)
    churn(10)
    assert len(host.events.since(0)) == TOLD_A_MINUTE + 4 + 30
