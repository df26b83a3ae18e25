# SPDX-License-Identifier: MIT
"""Machines with GPUs for the real daemon: fakes, and the one that the tests run on. One set of tests is for them all.

    python -m tests.support.gpu_machines

says which GPUs this machine has, and fails where it has none.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.fixtures.host import MINIMAL, Host
from tests.fixtures.host.gpus import GpuHost
from tests.support import gpu_work
from tests.support import nvml_profiles as profiles
from tests.support.daemon import make_directory
from tests.support.gpu_witness import Witness, ask
from tests.support.nvml import FakeNvml
from tests.support.nvml_machine import PLACE
from tests.support.processes import ROOT

DRIVERS = {"nvidia": "nvidia", "amd": "amdgpu"}


@dataclass(frozen=True)
class Work:
    """A process that has so much memory of a GPU."""

    pid: int
    pci: str
    size: int = gpu_work.BYTES


@dataclass(frozen=True)
class GpuMachine:
    """What is done with it: `look` asks its vendor's interface, `work` puts a process on a GPU, `is_node` tells a path
    of the driver that must not stay open. `host` is None for the machine that we are on."""

    vendor: str
    look: Callable[[], list[Witness]]
    work: Callable[[], AbstractContextManager[Work]]
    is_node: Callable[[str], bool]
    host: Host | None = None
    flags: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)


def present(drivers: Path = Path("/sys/bus/pci/drivers")) -> dict[str, list[str]]:
    """The vendors whose driver has GPUs here, with the addresses of these."""
    found = {
        vendor: sorted(path.name for path in (drivers / driver).glob("*:*:*.*")) for vendor, driver in DRIVERS.items()
    }
    return {vendor: addresses for vendor, addresses in found.items() if addresses}


@contextlib.contextmanager
def open_machine(kind: str) -> Iterator[GpuMachine]:
    """`fake nvidia`, `fake amd`, `real nvidia`, `real amd`."""
    what, vendor = kind.split()
    if what == "real":
        yield _real(vendor)
        return
    directory = make_directory("machine")
    try:
        yield _fake_nvidia(directory) if vendor == "nvidia" else _fake_amd(directory)
    finally:
        shutil.rmtree(directory)


def _real(vendor: str) -> GpuMachine:
    arguments = [vendor] if vendor == "nvidia" else [vendor, "/sys"]
    return GpuMachine(
        vendor, lambda: ask(*arguments), partial(_real_work, vendor), lambda path: path.startswith("/dev/nvidia")
    )


@contextlib.contextmanager
def _real_work(vendor: str) -> Iterator[Work]:
    command = [sys.executable, "-m", "tests.support.gpu_work", vendor]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        place = process.stdout.readline().strip()
        assert place, f"{' '.join(command)}: no memory of a GPU was had"
        yield Work(process.pid, place)
        process.communicate()


def _fake_nvidia(directory: Path) -> GpuMachine:
    """A DGX H100 less one GPU: on the two switches of the rich host, and on its root ports."""
    host = Host(directory, seed=1)
    root = Path(host.rootfs)
    (Path(host.procfs) / "driver/nvidia").mkdir(parents=True)
    buses = (0x18, 0x19, 0x38, 0x39, 0x9A, 0x9B, 0xB8)
    state = profiles.h100(len(buses), mig=())
    for gpu, bus in enumerate(buses):
        state[f"gpu.{gpu}.pci"] = f"00000000:{bus:02X}:00.0"
        state[f"gpu.{gpu}.energy.millijoules"] = 5_000_000 + gpu
        state[f"gpu.{gpu}.power.limit.enforced"] = 400_000
        state |= {f"gpu.{gpu}.topology.{n}": _level(bus, other) for n, other in enumerate(buses) if n != gpu}
        state |= {f"gpu.{gpu}.p2p.nvlink.{n}": 0 for n in range(len(buses)) if n != gpu}
    fake = FakeNvml(directory, state, place=root / PLACE.lstrip("/"))
    environ = {**fake.environ, "LD_LIBRARY_PATH": str(fake.place)}

    @contextlib.contextmanager
    def work() -> Iterator[Work]:
        with _bystander() as pid:
            fake.processes(2, "compute", [(pid, gpu_work.BYTES)])
            yield Work(pid, "0000:38:00.0")
            fake.processes(2, "compute", [])

    return GpuMachine(
        "nvidia", lambda: ask("nvidia", **environ), work, lambda path: path == str(fake.device), host,
        (f"--nvidia.library-roots={PLACE}",), fake.environ,
    )  # fmt: skip


def _level(one: int, other: int) -> int:
    """As nvml.h has it, of two GPUs of the rich host by their buses: a socket has 0x80."""
    if one // 0x80 != other // 0x80:
        return 50
    if abs(one - other) > 1:
        return 40
    return 10 if one in (0x18, 0x19, 0x9A, 0x9B) else 30


def _fake_amd(directory: Path) -> GpuMachine:
    """Eight MI300X."""
    host = Host(directory, shape=MINIMAL, seed=1)
    gpus = GpuHost(Path(host.tree.root))
    boards = [gpus.add_instinct(number) for number in range(8)]

    @contextlib.contextmanager
    def work() -> Iterator[Work]:
        with _bystander() as pid:
            gpus.use(pid, {boards[1].gpu_ids[0]: gpu_work.BYTES})
            yield Work(pid, boards[1].address)
            gpus.leave(pid)

    return GpuMachine("amd", lambda: ask("amd", host.sysfs), work, lambda path: False, host)


@contextlib.contextmanager
def _bystander() -> Iterator[int]:
    """A process that does nothing."""
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.communicate()


def open_nodes(pid: int, machine: GpuMachine) -> int:
    """How many descriptors of the driver's nodes a process has."""
    places = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            places.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return sum(map(machine.is_node, places))


def main() -> int:
    found = present()
    for vendor, addresses in found.items():
        print(f"{vendor}: {' '.join(addresses)}")
    if not found:
        print(
            "there is no GPU here: no device is bound to the drivers nvidia and amdgpu (/sys/bus/pci/drivers).\n"
            "`make test` runs the same tests against machines that are fakes.",
            file=sys.stderr,
        )
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
