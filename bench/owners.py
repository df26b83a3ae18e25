# SPDX-License-Identifier: MIT
"""What owners cost: ticks with 300 containers and 1,500 processes, of which 100 hold devices, on this machine's own
/proc and cgroup file systems, while all containers work; and reading the path of one cgroup."""

from __future__ import annotations

import contextlib
import csv
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

import pytest

from bench.report import Line
from hwinfod.collectors import device_nodes
from hwinfod.collectors.device_nodes import DeviceNodes
from hwinfod.core.device import Device
from hwinfod.core.holding import Batch, Holding
from hwinfod.core.metric import Level
from hwinfod.owners.cgroup import resolve_path
from hwinfod.owners.collector import Owners
from hwinfod.owners.usage.collector import OwnerUsage
from hwinfod.sources.cgroupfs import find_hierarchies
from hwinfod.sources.files import Roots
from hwinfod.sources.process import ProcessFiles
from tests.support.bench import Bench

_CGROUPS, _PROCESSES, _HOLDERS, _GPUS = 300, 1500, 100, 8
_WARM_UP, _TICKS = 8, 48  # a pass over all processes takes place every third tick
_TICK_TARGET, _PATH_TARGET = 20.0, 10.0
_GIB = 1 << 30
_NODE = "/dev/full"  # stands for a node of a GPU: nobody has it open by chance
_PATHS = Path(__file__).parents[1] / "tests/unit/owners/data/published_cgroups.tsv"
# Collector, method, and how many of its ticks fall on one of five seconds.
_PARTS = (
    ("owners", "sample", 1.0), ("device_nodes", "sample", 1.0),
    ("owner_usage", "sample", 1.0), ("owner_usage", "network", 1 / 3), ("owner_usage", "detail", 1 / 3),
)  # fmt: skip


def measure() -> list[Line]:
    with _nodes(), _containers() as bases, _workers(bases) as work, _processes(bases) as pids:
        return [*_ticks(pids, work), _path_line()]


@contextlib.contextmanager
def _nodes() -> Iterator[None]:
    """`_NODE` is the node of a GPU, and the only one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device_nodes, "has_nodes", lambda _: True)
        patch.setattr(device_nodes, "is_node", lambda target: target == _NODE)
        yield


@contextlib.contextmanager
def _containers() -> Iterator[list[str]]:
    """300 cgroups named as Docker does, in every hierarchy that lets us; gives their common directories."""
    found = find_hierarchies(Roots())
    bases = [f"{base}/hwinfod-bench" for base in dict.fromkeys([*found.legacy.values(), found.unified]) if base]
    paths = [*bases, *(_cgroup(base, number) for base in bases for number in range(_CGROUPS))]
    made: list[str] = []
    try:
        for path in paths:
            with contextlib.suppress(OSError):  # cpuset of v1, or a hierarchy that is not ours
                os.mkdir(path)
                made.append(path)
        yield [base for base in bases if base in made and not base.endswith("cpuset/hwinfod-bench")]
    finally:
        for path in reversed(made):
            os.rmdir(path)


def _cgroup(base: str, number: int) -> str:
    return f"{base}/{number:012x}{number:052x}"


@contextlib.contextmanager
def _workers(bases: list[str]) -> Iterator[Callable[[], None]]:
    """A process in each container that works a little when it is told to, so that all figures are new ones: gives what
    tells them all and waits until it is done."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    answers, answer = os.pipe()
    orders: list[int] = []
    pids: list[int] = []
    try:
        for number in range(_CGROUPS):
            read, write = os.pipe()
            actions = [(os.POSIX_SPAWN_DUP2, read, 0), (os.POSIX_SPAWN_DUP2, answer, 1)]
            pids.append(os.posix_spawn("/bin/cat", ["cat"], {}, file_actions=actions))
            os.close(read)
            orders.append(write)
            for base in bases:
                Path(_cgroup(base, number), "cgroup.procs").write_text(str(pids[-1]))

        def work() -> None:
            for order in orders:
                os.write(order, b"x")
            left = len(orders)
            while left:
                left -= len(os.read(answers, left))

        yield work
    finally:
        for fd in (answers, answer, *orders):
            os.close(fd)
        for pid in pids:
            os.waitpid(pid, 0)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@contextlib.contextmanager
def _processes(bases: list[str]) -> Iterator[list[int]]:
    """Processes that wait, four in each container. The first 100 have a file open that stands for a device node."""
    closed = [(os.POSIX_SPAWN_CLOSE, number) for number in (0, 1, 2)]
    opened = [*closed[1:], (os.POSIX_SPAWN_OPEN, 0, _NODE, os.O_RDONLY, 0)]
    pids: list[int] = []
    try:
        for number in range(_PROCESSES - _CGROUPS):
            actions = opened if number < _HOLDERS else closed
            pids.append(os.posix_spawn("/bin/sleep", ["sleep", "600"], {}, file_actions=actions))
            for base in bases:
                Path(_cgroup(base, number % _CGROUPS), "cgroup.procs").write_text(str(pids[-1]))
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)


def _ticks(pids: list[int], work: Callable[[], None]) -> list[Line]:
    owners = Bench(Owners)
    owners.clock.now = time.clock_gettime(time.CLOCK_BOOTTIME) + 3600
    usage = Bench(OwnerUsage, beside=owners)
    benches = {"owners": owners, "device_nodes": Bench(DeviceNodes, beside=owners), "owner_usage": usage}
    _hold(owners, pids[:_HOLDERS])
    lines, whole, python, least = [], 0.0, 0.0, 0.0
    for name, method, share in _PARTS:
        cost = _cost(benches[name], method, work)
        whole += cost.mean * share
        python += cost.mean * share * cost.python
        least += cost.least * share
        spread = f"{cost.least * 1e3:.3g}..{cost.most * 1e3:.3g}"
        note = f"{cost.python:.0%} in Python, {share:.2g} of five seconds"
        lines.append(Line(f"{name} {method}", cost.mean * 1e3, "ms", spread=spread, note=note))
    series = {level: sum(len(usage.values(m, level)) for m in usage.runner.intervals) for level in Level}
    note = f"{whole and python / whole:.0%} in Python, the rest in the kernel; {_CGROUPS} containers"
    growth = f"{series[Level.DETAILED]} recorded; {_HOLDERS} of {_CGROUPS} containers hold a device"
    return [
        Line("owner tick, all of these", whole * 1e3, "ms", _TICK_TARGET, f"{least * 1e3:.3g}..", note),
        *lines,
        Line("series of owner_usage at the standard level", series[Level.STANDARD], "", note=growth),
    ]


def _hold(bench: Bench, pids: list[int]) -> None:
    for number in range(_GPUS):
        gpu = Device(f"GPU-{number}", "gpu", f"gpu {number}", {"gpu": str(number)})
        bench.host.devices.report("bench", gpu)
        held = [Holding(pid, _start(pid), {"memory_bytes": _GIB}) for pid in pids[number::_GPUS]]
        bench.host.holdings.publish(Batch(gpu.id, 1, {"memory_bytes": 80 * _GIB}, tuple(held)))


def _start(pid: int) -> int:
    with contextlib.closing(ProcessFiles(Roots(), pid)) as files:
        return files.stat().start_time_ticks


class _Cost(NamedTuple):
    """CPU seconds of a tick, and the part of them in user mode (of all ticks together: the kernel counts modes in
    jiffies). Ticks of one table may do different things: the mean is what they cost."""

    mean: float
    least: float
    most: float
    python: float


def _cost(bench: Bench, method: str, work: Callable[[], None]) -> _Cost:
    costs, user, system = [], 0.0, 0.0
    for number in range(_WARM_UP + _TICKS):
        work()
        before, begun = resource.getrusage(resource.RUSAGE_THREAD), time.thread_time()
        bench.attempt(method, after=bench.runner.intervals[method])
        spent, after = time.thread_time() - begun, resource.getrusage(resource.RUSAGE_THREAD)
        if number >= _WARM_UP:
            costs.append(spent)
            user += after.ru_utime - before.ru_utime
            system += after.ru_stime - before.ru_stime
    return _Cost(fmean(costs), min(costs), max(costs), user / max(user + system, 1e-9))


def _path_line() -> Line:
    paths = [row["path"] for row in csv.DictReader(_PATHS.open(encoding="utf-8"), delimiter="\t")]
    rounds = []
    for _ in range(50):
        before = time.thread_time()
        for path in paths:
            resolve_path(path)
        rounds.append((time.thread_time() - before) / len(paths))
    return Line("path of one cgroup", median(rounds) * 1e6, "us", _PATH_TARGET, note=f"{len(paths)} published paths")
