# SPDX-License-Identifier: MIT
"""The kernel's own cgroups, where we may make some: a process that works is seen working, on a network of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hwinfod.owners.usage.collector import OwnerUsage
from hwinfod.sources.cgroupfs import find_hierarchies
from hwinfod.sources.files import Roots
from tests.support.bench import Bench
from tests.support.owners import by_owner

ID = f"{os.getpid():012x}".ljust(64, "e")
OWNER = f"docker {ID[:12]} {ID[:12]}"
WORK = """
import time
used = bytearray(32 << 20)
used[::4096] = b"x" * len(used[::4096])
while time.process_time() < 0.4: pass
print("done", flush=True)
input()
"""


@pytest.fixture
def cgroups() -> Iterator[list[str]]:
    """A container's cgroup in every hierarchy that lets us."""
    found = find_hierarchies(Roots())
    made: list[str] = []
    for base in dict.fromkeys([*found.legacy.values(), found.unified]):
        if base and not base.endswith("cpuset"):
            with contextlib.suppress(OSError):
                os.mkdir(f"{base}/docker-{ID}")
                made.append(f"{base}/docker-{ID}")
    if not any(tree in path for path in made for tree in found.trees()):
        pytest.skip("no cgroup may be made here")
    yield made
    for path in made:
        os.rmdir(path)


@pytest.fixture
def worker(cgroups: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process in there that has worked for 0.4 s, with a network namespace of its own."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "--net", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network namespace may be made here")
    join = "".join(f"echo $$ > {path}/cgroup.procs && " for path in cgroups)
    command = ["sh", "-c", f'{join} exec {unshare} --net {sys.executable} -c "$0"', WORK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        yield process
        process.kill()


@pytest.mark.usefixtures("worker")
def test_a_working_process_is_seen(cgroups: list[str]) -> None:
    bench = Bench(OwnerUsage)
    values = bench.run()
    assert 0.3 < by_owner(values, "hw_owner_cpu_seconds_total")[OWNER] < 60
    if any("memory" in path or "memory" in find_hierarchies(Roots()).controllers for path in cgroups):
        assert by_owner(values, "hw_owner_memory_usage_bytes")[OWNER] >= 32 << 20
        detail = bench.run("detail")
        assert by_owner(detail, "hw_owner_memory_anon_bytes")[OWNER] >= 32 << 20
        assert by_owner(detail, "hw_owner_memory_peak_bytes")[OWNER] >= 32 << 20
    bench.runner.close()


PAIR = """
ip link add v7 type veth peer name v8 && ip link set v7 up && ip link set v8 up && ip addr add 192.0.2.1/24 dev v7
"""
SEND = """
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sender.sendto(bytes(1000), ("192.0.2.255", 9))
"""


def test_its_network_is_its_own_and_is_not_held(worker: subprocess.Popen[str]) -> None:
    bench = Bench(OwnerUsage)
    bench.run()
    assert by_owner(bench.run("network"), "hw_owner_network_receive_bytes_total") == {}  # it has lo and nothing else
    inside = ["nsenter", "-t", str(worker.pid), "-n"]
    if subprocess.run([*inside, "sh", "-c", PAIR], check=False, capture_output=True).returncode:
        pytest.skip("no pair of interfaces may be made here")
    subprocess.run([*inside, sys.executable, "-c", SEND], check=True)
    values = bench.run("network")
    assert by_owner(values, "hw_owner_network_transmit_bytes_total")[OWNER] >= 1000
    assert by_owner(values, "hw_owner_network_receive_bytes_total")[OWNER] >= 1000
    assert by_owner(values, "hw_owner_network_transmit_packets_total")[OWNER] >= 1
    bench.run()
    assert [one.network for one in bench.host.accounting.owners.values() if ID[:12] in one.labels] == ["own"]
    held = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)]
    assert not any("net:[" in link or "/net/dev" in link for link in held)
    bench.runner.close()


@pytest.mark.usefixtures("worker")
def test_descriptors_are_kept_within_half_of_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept() -> int:
        links = (os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd))
        return sum(ID in link for link in links)

    bench = Bench(OwnerUsage)
    bench.run()
    assert kept() > 0
    bench.runner.close()
    assert kept() == 0
    monkeypatch.setattr("hwinfod.owners.usage.collector.MOST_FILES", 1 << 40)
    bench = Bench(OwnerUsage)
    assert OWNER in by_owner(bench.run(), "hw_owner_cpu_seconds_total")
    assert kept() == 0


def _is_open(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")
