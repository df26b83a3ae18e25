# SPDX-License-Identifier: MIT
"""What runtimes' sockets cost: gRPC in memory, a node of 250 pods learned, and a second in which nothing happens."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.report import Line
from hwinfod.owners.runtimes.collector import ContainerdContainers
from hwinfod.sources import containerd
from tests.support.bench import Bench
from tests.support.runtimes import Containerd, pod_spec, until

_PODS = 250
_TICKS = 30
_IMPORT = """
import gc
from hwinfod.engine import discover
from hwinfod.__main__ import _import_asyncio
_import_asyncio(tls={tls})
import asyncio
discover()
def resident():
    gc.collect()
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS:"))
before = resident()
from hwinfod.owners.runtimes.link import open_channel
async def connect():
    open_channel("/none").close()
asyncio.run(connect())
print(resident() - before)
"""


def _grpc_mib(*, tls: bool) -> float:
    program = _IMPORT.format(tls=tls)
    runs = [
        int(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout) / 1024
        for _ in range(5)
    ]
    return median(runs)


def measure() -> list[Line]:
    lines = [
        Line("gRPC in memory", _grpc_mib(tls=False), "MiB", 6, note="paid where a socket may be opened"),
        Line("gRPC in memory beside TLS", _grpc_mib(tls=True), "MiB", 6, note="ssl is there already"),
    ]
    with tempfile.TemporaryDirectory(prefix="rt") as name:
        bench = Bench(ContainerdContainers, Path(name))
        server = Containerd(Path(name, f"root{containerd.SOCKETS[0]}"), bench.clock.wall_ns)
        for number in range(_PODS):
            server.create(f"{number:064x}", pod_spec(f"train-{number}", "cuda") + b" " * 20_000)
            server.start_task(f"{number:064x}")
        server.start()
        try:
            before = time.thread_time()
            until(bench, lambda: bench.host.containers.current.get("containerd"))
            learned = time.thread_time() - before
            lines.append(
                Line(
                    f"{_PODS} pods learned",
                    learned * 1000,
                    "ms",
                    500,
                    note="CPU of the lane, once; 20 KB a specification",
                )
            )
            lines.append(Line("a second without news", _idle(bench) * 1000, "ms", 1, note="CPU of the lane"))
        finally:
            bench.runner.close()
            server.stop()
    return lines


def _idle(bench: Bench) -> float:
    ticks = []
    for _ in range(_TICKS):
        before = time.thread_time()
        bench.attempt()
        ticks.append(time.thread_time() - before)
    return median(ticks)
