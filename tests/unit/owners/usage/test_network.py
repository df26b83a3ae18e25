# SPDX-License-Identifier: MIT
"""Traffic of owners: once a namespace, none for the host's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwinfod.core.account import Account
from hwinfod.core.owner import ContainerName, Names
from hwinfod.owners.usage import network
from hwinfod.owners.usage.collector import OwnerUsage
from hwinfod.sources.files import link_name
from tests.support.bench import Bench
from tests.support.owners import GIB, POD, UID, A, B, by_owner

HEADER = "Inter-|   Receive\n face |bytes    packets\n"
PACKETS = "hw_owner_network_transmit_packets_total"
RECEIVED, SENT = "hw_owner_network_receive_bytes_total", "hw_owner_network_transmit_bytes_total"


class Machine:
    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "sys/fs/cgroup").mkdir(parents=True)
        (path / "sys/fs/cgroup/cgroup.controllers").write_text("cpu memory\n")
        self.process(1, "net:[1]")
        self.bench = Bench(OwnerUsage, path)

    def process(self, pid: int, namespace: str, received: int = 0, sent: int = 0) -> None:
        directory = self.path / "proc" / str(pid)
        shutil.rmtree(directory, ignore_errors=True)
        (directory / "ns").mkdir(parents=True)
        (directory / "ns/net").symlink_to(namespace)
        (directory / "net").mkdir()
        lines = [f"{name}: {received} 3 {' 0' * 6} {sent} 4 {' 0' * 6}\n" for name in ("lo", "eth0")]
        (directory / "net/dev").write_text(HEADER + "".join(lines))

    def cgroup(self, path: str, *pids: int, below: str = "") -> None:
        directory = self.path / "sys/fs/cgroup" / path
        (directory / below).mkdir(parents=True, exist_ok=True)
        (directory / "cgroup.procs").write_text("")
        (directory / below / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
        (directory / "cpu.stat").write_text("usage_usec 1\n")
        (directory / "memory.current").write_text(f"{GIB}\n")

    def run(self) -> dict[str, int | float]:
        self.bench.run()
        return self.bench.run("network")

    def accounts(self) -> list[Account]:
        """As they are after the next sample."""
        self.bench.run()
        return list(self.bench.host.accounting.owners.values())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_containers_of_a_pod_share_their_traffic(machine: Machine) -> None:
    machine.bench.host.names.publish("test", Names((ContainerName(A, "cuda", "ml", "train-0", UID),)))
    machine.cgroup(POD, 100)
    machine.cgroup(POD.replace(A, B), 101)
    for pid in (100, 101):
        machine.process(pid, "net:[2]", 7, 8)
    values = machine.run()
    assert by_owner(values, RECEIVED) == {"ml/train-0": 7}
    assert by_owner(values, SENT) == {"ml/train-0": 8}
    assert by_owner(values, PACKETS) == {"ml/train-0": 4}
    assert sorted(account.network for account in machine.accounts()) == ["own", "shared"]


def test_owners_on_the_hosts_network_have_none(machine: Machine) -> None:
    machine.cgroup(f"docker/{A}", 100)
    machine.process(100, "net:[1]", 7, 8)
    assert by_owner(machine.run(), RECEIVED) == {}
    (account,) = machine.accounts()
    assert account.network == "host"
    assert not any("network" in metric.name for metric, _ in account.values())


def test_another_process_tells_when_the_first_is_gone_or_its_number_is_another(machine: Machine) -> None:
    machine.cgroup(f"docker/{A}", 100)
    machine.process(100, "net:[2]", 7)
    owner = f"docker {A[:12]} {A[:12]}"
    assert by_owner(machine.run(), RECEIVED) == {owner: 7}
    machine.process(100, "net:[3]", 1000)
    machine.process(101, "net:[2]", 9)
    machine.cgroup(f"docker/{A}", 101)
    assert by_owner(machine.run(), RECEIVED) == {owner: 9}


def test_processes_below_are_found(machine: Machine) -> None:
    machine.cgroup(f"docker/{A}", 100, below="system.slice/web.service")
    machine.process(100, "net:[2]", 7)
    assert list(by_owner(machine.run(), RECEIVED).values()) == [7]


def test_namespaces_that_may_not_be_seen_are_said(machine: Machine) -> None:
    machine.cgroup(f"docker/{A}", 100)
    assert by_owner(machine.run(), RECEIVED) == {}
    assert machine.bench.skipped == {"network": "namespaces of 1 owners may not be seen: CAP_SYS_PTRACE"}
    assert [account.network for account in machine.accounts()] == ["hidden"]


SERVICE = "system.slice/vpn.service"


def test_a_service_with_a_network_of_its_own_has_its_traffic(machine: Machine) -> None:
    """PrivateNetwork= or NetworkNamespacePath= of systemd.exec(5)."""
    machine.cgroup(SERVICE, 100)
    machine.process(100, "net:[2]", 7, 8)
    values = machine.run()
    assert (by_owner(values, RECEIVED), by_owner(values, SENT)) == ({"vpn.service": 7}, {"vpn.service": 8})
    assert [account.network for account in machine.accounts()] == ["own"]


def test_a_service_on_the_hosts_network_is_looked_at_every_three_minutes(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(network, "link_name", lambda path: looked.append(path) or link_name(path))
    machine.cgroup(SERVICE, 100)
    machine.process(100, "net:[1]", 7, 8)
    for _ in range(12):
        assert by_owner(machine.run(), RECEIVED) == {}
    assert [account.network for account in machine.accounts()] == ["host"]
    assert sum("/100/" in path for path in looked) == 1
    machine.process(100, "net:[2]", 7, 8)
    assert by_owner(machine.run(), RECEIVED) == {"vpn.service": 7}


def test_of_a_service_without_series_the_network_is_told_and_a_container_comes_first(machine: Machine) -> None:
    for path, pid in ((SERVICE, 100), ("system.slice/ssh.service", 101)):
        machine.cgroup(path, pid)
        (machine.path / "sys/fs/cgroup" / path / "memory.current").write_text("0\n")
    machine.cgroup(f"system.slice/docker-{A}.scope", 102)
    for pid, namespace in ((100, "net:[2]"), (101, "net:[1]"), (102, "net:[2]")):
        machine.process(pid, namespace, 7, 8)
    assert by_owner(machine.run(), RECEIVED) == {f"docker {A[:12]} {A[:12]}": 7}
    told = {account.labels[0]: account.network for account in machine.accounts()}
    assert told == {"vpn.service": "shared", "ssh.service": "host", f"docker {A[:12]}": "own"}


def test_services_that_may_not_be_seen_are_no_failure(machine: Machine) -> None:
    machine.cgroup(SERVICE, 100)
    machine.run()
    assert machine.bench.skipped == {}
    assert [account.network for account in machine.accounts()] == ["hidden"]


def test_the_account_of_an_owner_has_its_traffic(machine: Machine) -> None:
    machine.cgroup(f"docker/{A}", 100)
    machine.process(100, "net:[2]", 7, 8)
    machine.run()
    (account,) = machine.accounts()
    traffic = {metric.name: value for (metric, _), value in account.values().items() if "network" in metric.name}
    assert traffic == {RECEIVED: 7, SENT: 8, RECEIVED.replace("bytes", "packets"): 3, PACKETS: 4}
