# SPDX-License-Identifier: MIT
"""What RDMA costs: a second of eight ports with 60 counters each, a list of 10,000 queue pairs, and decoding against
pyroute2. The kernel is played by kept answers, so that what is measured is ours."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

import pytest

from bench.cost import IN_MEMORY
from bench.report import Line
from hwinfod.collectors._rdma_scan import DeviceScan, list_objects
from hwinfod.collectors.rdma import Rdma
from hwinfod.sources.nldev.client import Client
from hwinfod.sources.nldev.counters import CounterLayout, parse_counters
from tests.support.bench import Bench
from tests.support.netlink import Kernel, counters, device, reply, table, u8, u32
from tests.support.rdma import FakeDevice, RdmaHost

_PORTS = 8
_COUNTERS = {f"counter_of_the_driver_{number}": number * 1_000_003 for number in range(60)}
_QPS = 10_000
_HOLDERS = 64


def measure() -> list[Line]:
    return [*_second(), *_decode(), _queue_pairs(), *_tool()]


def _best(call: Callable[[], object], times: int = 30) -> float:
    """Median CPU seconds of a call, after a few to warm up."""
    costs = []
    for _ in range(times):
        before = time.thread_time()
        call()
        costs.append(time.thread_time() - before)
    return median(costs[5:])


class _Remembering(Kernel):
    """Answers a question that it knows with the bytes of last time, and only the sequence new."""

    def __init__(self, answer: Callable[..., list[bytes | OSError]]) -> None:
        super().__init__(answer)
        self._known: dict[bytes, list[bytes]] = {}

    def send(self, data: bytes) -> None:
        key = data[4:8] + data[16:]
        if key not in self._known:
            super().send(data)
            self._known[key] = [part for part in self._queue if isinstance(part, bytes)]
            self._queue.clear()
        self._queue.extend(part[:8] + data[8:12] + part[12:] for part in self._known[key])


def _second() -> list[Line]:
    plain = Line(f"RDMA, {_PORTS} ports x {len(_COUNTERS)} counters, a second", _tick({}) * 1e3, "ms", 1.0)
    files = _tick({f"counter_{number}": number for number in range(21)})
    note = "files on tmpfs, ten times as dear as sysfs with kept descriptors"
    return [plain, Line("the same with 21 files in counters/ each", files * 1e3, "ms", note=note)]


def _tick(files: dict[str, object]) -> float:
    """CPU seconds of one `sample`."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory, pytest.MonkeyPatch.context() as patch:
        host = RdmaHost(Path(directory), patch)
        for port in range(_PORTS):
            host.add(FakeDevice(f"mlx5_{port}", port, 0x1000 + port, hw=dict(_COUNTERS), counters=dict(files)))
        kernel = _Remembering(host._answer)
        for module in ("_rdma_reader", "_rdma_devices"):
            patch.setattr(f"hwinfod.collectors.{module}.open_transport", lambda _roots: kernel)
        bench = Bench(Rdma, Path(directory))
        bench.run()
        return _best(lambda: bench.runner.run("sample"))


def _decode() -> list[Line]:
    from hwinfod.sources.nldev.family import MarshalRDMA

    payload = device(0, "mlx5_0") + u32("PORT_INDEX", 1) + counters(_COUNTERS)
    data = reply("STAT_GET", payload)
    layout = CounterLayout(payload)

    def by_pyroute2() -> int:
        (message,) = MarshalRDMA().parse(data)
        entries = message.get_attr("RDMA_NLDEV_ATTR_STAT_HWCOUNTERS")["attrs"]
        return sum(entry[1].get_attr("RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_VALUE") for entry in entries)

    return [
        Line("60 counters of a port, by layout", _best(lambda: layout.read(payload), 300) * 1e6, "us", 50),
        Line("60 counters of a port, by name", _best(lambda: parse_counters(payload), 300) * 1e6, "us"),
        Line("60 counters of a port, pyroute2", _best(by_pyroute2) * 1e6, "us"),
    ]


def _queue_pairs() -> Line:
    def entry(number: int) -> bytes:
        kept = u32("PORT_INDEX", 1) + u32("RES_LQPN", number) + u32("RES_PDN", 4) + u32("RES_PID", number % _HOLDERS)
        rest = u32("RES_RQPN", 9) + u32("RES_RQ_PSN", 1) + u32("RES_SQ_PSN", 2) + u8("RES_PATH_MIG_STATE", 0)
        return table("RES_QP_ENTRY", kept, rest, u8("RES_TYPE", 2), u8("RES_STATE", 3))

    entries = [entry(number) for number in range(1, _QPS + 1)]
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        host = RdmaHost(Path(directory), patch)
        host.add(FakeDevice("mlx5_0", 0, 0x1000, objects={"qp": entries}, part=380))  # as fit into 32 KiB
        client = Client(_Remembering(host._answer))

        def scan() -> None:
            device = DeviceScan("mlx5_0", 0)
            deque(list_objects(client, device, {"qp": _QPS}), maxlen=0)
            assert device.totals["qps"] == _QPS

        return Line(f"{_QPS} queue pairs of {_HOLDERS} processes, summed", _best(scan, 12) * 1e3, "ms", 60)


def _tool() -> list[Line]:
    rdma = shutil.which("rdma", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if rdma is None:
        return []

    def start() -> float:
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run([rdma, "-j", "statistic", "show"], capture_output=True, check=False)
        after = getrusage(RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    cost = median(start() for _ in range(20))
    note = "where there is no RDMA: only its start; in a guest that has: pytest -s tests/vm/test_rdma.py"
    return [Line("`rdma -j statistic show`, started", cost * 1e3, "ms", note=note)]
