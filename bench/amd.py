# SPDX-License-Identifier: MIT
"""What AMD GPUs cost: a second of eight boards, whole and shared out, and a look at who uses them. Files on tmpfs are
opened anew at each read: in sysfs, where descriptors are kept, Python's part is the same and the opening is spared."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.cost import IN_MEMORY
from bench.report import Line
from hwinfod.collectors._drm_scan import ClientScanner
from hwinfod.collectors.amd import Amd
from hwinfod.core.clock import Clock
from hwinfod.core.health import State
from hwinfod.sources.amdgpu_metrics import parse_gpu_metrics
from hwinfod.sources.files import Roots
from tests.fixtures.host.gpus import GIB, Board, GpuHost
from tests.support.bench import Bench

_BOARDS = 8
_HOLDERS = 64
_PROCESSES = 1500
_DESCRIPTORS = 40


def measure() -> list[Line]:
    directory = Path(tempfile.mkdtemp(prefix="bench-amd-", dir=IN_MEMORY))
    try:
        return [
            *_boards(directory / "spx", partitions=1),
            *_boards(directory / "cpx", partitions=8),
            *_clients(directory / "drm"),
        ]
    finally:
        shutil.rmtree(directory)


def _boards(directory: Path, *, partitions: int) -> list[Line]:
    host = GpuHost(directory)
    boards = [host.add_instinct(number, partitions=partitions) for number in range(_BOARDS)]
    bench = Bench(Amd, directory)
    mode = "CPX" if partitions > 1 else "SPX"
    table = (boards[0].directory / "gpu_metrics").read_bytes()
    lines = [
        Line(f"AMD, {_BOARDS} boards in {mode}, a second", _median(_beat(bench, "sample")), "ms", 2.0),
        Line(f"of it: decoding {_BOARDS} tables", _BOARDS * _median(lambda: parse_gpu_metrics(table)), "ms"),
        Line(f"{mode}: facts, every 10 s", _median(_beat(bench, "facts")), "ms"),
    ]
    _populate(host, boards)
    note = f"{_HOLDERS} processes, each known to all GPUs"
    return [*lines, Line(f"{mode}: processes, every 5 s", _median(_beat(bench, "processes")), "ms", note=note)]


def _populate(host: GpuHost, boards: list[Board]) -> None:
    gpu_ids = [gpu_id for board in boards for gpu_id in board.gpu_ids]
    for number in range(_HOLDERS):
        memory = dict.fromkeys(gpu_ids, 0)
        memory[gpu_ids[number % len(gpu_ids)]] = GIB
        host.use(5000 + number, memory, units=4)


def _clients(directory: Path) -> list[Line]:
    """A look at all descriptors of a node, and one at a node where nothing changed."""
    host = GpuHost(directory)
    for pid in range(1, _PROCESSES + 1):
        host.run(pid)
        for number in range(_DESCRIPTORS):
            (host.proc / f"{pid}/fd/{number}").symlink_to("socket:[4711]")
    host.open_drm(7, 90, "drm-driver: xe\ndrm-pdev: 0000:29:00.0\ndrm-client-id: 1\n")
    roots = Roots(str(host.proc), str(host.sys))

    def look(scanner: ClientScanner) -> float:
        before = time.thread_time()
        scanner.begin()
        assert scanner.work(3600.0) is not None
        return (time.thread_time() - before) * 1e3

    scanner = ClientScanner(roots, Clock())
    note = f"{_PROCESSES} processes with {_DESCRIPTORS} descriptors"
    return [
        Line("DRM clients, first pass", look(scanner), "ms", note=f"{note}; in steps of 20 ms"),
        Line("DRM clients, nothing new, every 5 s", median(look(scanner) for _ in range(5)), "ms", note=note),
    ]


def _beat(bench: Bench, method: str) -> Callable[[], object]:
    def run() -> None:
        assert bench.attempt(method) is State.OK

    return run


def _median(call: Callable[[], object], times: int = 40) -> float:
    """CPU milliseconds of a call, after a few to warm up."""
    costs = []
    for _ in range(times):
        before = time.thread_time()
        call()
        costs.append((time.thread_time() - before) * 1e3)
    return median(costs[5:])
