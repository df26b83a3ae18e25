# SPDX-License-Identifier: MIT
"""Ten thousand processes a second appear and end on this machine, and hold parts of devices: nothing is raised, nothing
is counted twice, and owners never hold more than there is.

A machine that makes fewer by itself is asked for a quarter of what it makes, as it may have other work meanwhile: a
storm that is held up proves nothing.
STORM_SECONDS=60 makes it the full minute (`make storm`); what a tick costs meanwhile is printed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import time
from pathlib import Path
from statistics import median

import pytest

from hwinfod.collectors import device_nodes
from hwinfod.collectors.device_nodes import DeviceNodes
from hwinfod.core.device import Device
from hwinfod.core.health import State
from hwinfod.core.holding import Batch, Holding
from hwinfod.errors import HwinfodError
from hwinfod.owners.collector import Owners
from hwinfod.owners.usage.collector import OwnerUsage
from hwinfod.sources.files import Roots
from hwinfod.sources.process import ProcessFiles
from tests.support.bench import Bench
from tests.support.processes import PATIENCE_SECONDS, running
from tests.support.storm import Storm

pytestmark = pytest.mark.tier("compiler")

RATE = 10_000
SECONDS = float(os.environ.get("STORM_SECONDS", "10"))
ALONE_SECONDS = 1.5
BEAT_SECONDS = Owners.beats()["sample"]
GIB = 1 << 30
GPUS = [Device(f"GPU-{n}", "gpu", f"gpu {n}", {"gpu": str(n)}) for n in range(8)]
NIC = Device("rdma:mlx5_0", "rdma", "mlx5_0", {})
_HOLDERS = 200


class Machine:
    """The collectors of owners on this machine, with GPUs that the storm's processes hold."""

    def __init__(self, storm: Storm) -> None:
        self.storm = storm
        self.random = random.Random(4711)
        self.owners = Bench(Owners)
        self.host = self.owners.host
        self.owners.clock.now = time.clock_gettime(time.CLOCK_BOOTTIME) + 3600
        self.nodes = Bench(DeviceNodes, beside=self.owners)
        self.usage = Bench(OwnerUsage, beside=self.owners)
        self.cpu: dict[str, list[float]] = {}
        for device in (*GPUS, NIC):
            self.host.devices.report("test", device)

    def hold(self) -> None:
        """What drivers would say: of processes that end while they are asked, of memory that is told twice."""
        for gpu in GPUS:
            holdings = tuple(
                Holding(pid, start(pid), {"memory_bytes": self.random.randrange(GIB), "utilization_ratio": 0.1})
                for pid in self.random.sample(self.storm.latest(1000), _HOLDERS)
            )
            self.host.holdings.publish(
                Batch(gpu.id, 1, {"memory_bytes": self.random.randrange(GIB, 150 * GIB)}, holdings)
            )
        qps = tuple(Holding(pid, start(pid), {"qps": 1}) for pid in set(self.storm.latest(_HOLDERS)))
        self.host.holdings.publish(Batch(NIC.id, 1, {"qps": len(qps)}, qps))

    def tick(self, bench: Bench, method: str = "sample") -> dict[str, int | float]:
        before = time.thread_time()
        state = bench.attempt(method, after=5)
        self.cpu.setdefault(f"{bench.runner.name} {method}", []).append(time.thread_time() - before)
        assert state is State.OK or (state is State.ABSENT and bench is self.usage), bench.reason
        return bench.values(method) if state is State.OK else {}

    def costs(self) -> str:
        lines = [
            f"{what}: median {median(s) * 1000:.1f} ms, most {max(s) * 1000:.1f} ms" for what, s in self.cpu.items()
        ]
        return "; ".join(lines)


def start(pid: int) -> int:
    """As a collector learns it: 0 of a process that is gone already."""
    with contextlib.suppress(HwinfodError), contextlib.closing(ProcessFiles(Roots(), pid)) as files:
        return files.stat().start_time_ticks
    return 0


def total(values: dict[str, int | float], family: str, *labels: str) -> float:
    names = (name for name in values if name.startswith(f"{family}{{") and all(label in name for label in labels))
    return sum(values[name] for name in names)


@pytest.fixture
def every_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No node of a GPU is here: what the storm's processes have open stands for one."""
    monkeypatch.setattr(device_nodes, "has_nodes", lambda _: True)
    monkeypatch.setattr(device_nodes, "is_node", lambda target: target == os.devnull)


def rate_alone(directory: Path) -> float:
    """Processes a second that a storm makes here while nobody watches it."""
    directory.mkdir()
    with running(Storm(directory, RATE, ALONE_SECONDS)) as storm:
        assert storm.process.wait(PATIENCE_SECONDS) == 0, storm.output()
        return storm.made / ALONE_SECONDS


def check_truth(machine: Machine, values: dict[str, int | float]) -> None:
    """Of one pass: the same in the series and in the API, and never more than the devices say of themselves."""
    attribution = machine.host.attribution
    assert attribution.boottime_ns == machine.owners.clock.boottime_ns()
    batches = machine.host.holdings.current
    for gpu in GPUS:
        used = batches[gpu.id].totals["memory_bytes"]
        held = total(values, "hw_owner_gpu_memory_usage_bytes", f"uuid={gpu.id}")
        rest = total(values, "hw_gpu_memory_unattributed_bytes", f"uuid={gpu.id}")
        told = [record.totals(gpu.id) for record in attribution.owners.values()]
        assert 0 < held <= used
        assert held + rest <= used
        assert held == sum(amounts.get("memory_bytes", 0) for amounts in told)
        assert rest == attribution.unattributed_bytes[gpu.id]
        assert 0 < total(values, "hw_owner_gpu_utilization_ratio", f"uuid={gpu.id}") <= 1
        assert total(values, "hw_owner_gpu_processes", f"uuid={gpu.id}") == _HOLDERS
    assert total(values, "hw_owner_rdma_qps") == batches[NIC.id].totals["qps"]


@pytest.mark.usefixtures("every_process_counts")
def test_nothing_is_raised_and_nobody_holds_more_than_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    alone = rate_alone(tmp_path / "before")
    owners: set[str] = set()
    with running(Storm(tmp_path, RATE, SECONDS)) as storm:
        storm.wait_until(lambda: storm.made > 2000, "its first processes")
        machine = Machine(storm)
        ticks = 0
        while storm.is_blowing:
            machine.hold()
            check_truth(machine, machine.tick(machine.owners))
            owners.update(record.label for record in machine.host.attribution.owners.values() if record.holders)
            machine.tick(machine.nodes)
            for method in ("sample", "detail", "network"):
                machine.tick(machine.usage, method)
            ticks += 1
        made, status = storm.made, storm.process.returncode
    alone = min(alone, rate_alone(tmp_path / "after"))  # what else the machine has to do comes and goes
    with capsys.disabled():
        print(f"\n{made / SECONDS:.0f} of {alone:.0f} processes a second, {ticks} ticks; {machine.costs()}")
    assert status == 0, "the storm broke off"
    assert made / SECONDS >= alone / 4
    assert ticks >= max(2, SECONDS / BEAT_SECONDS), "owners are to be told as often as on a quiet host"
    assert owners - {"nobody"}, "no process was seen while it lived"
    assert [
        record.getMessage() for record in caplog.records if record.exc_info or record.levelno > logging.WARNING
    ] == []
