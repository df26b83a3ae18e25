# SPDX-License-Identifier: MIT
"""What owners cost: ticks of 300 containers on this machine's own cgroup file systems where we may make cgroups."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from statistics import median

from bench.report import Line
from hwinfod.owners.usage.collector import OwnerUsage
from hwinfod.sources.cgroupfs import find_hierarchies
from hwinfod.sources.files import Roots
from tests.support.bench import Bench

_CGROUPS = 300
_TICKS = 30
_TICK_TARGET = 0.020


@contextlib.contextmanager
def _containers() -> Iterator[None]:
    """300 empty cgroups named as Docker does, in every hierarchy."""
    found = find_hierarchies(Roots())
    bases = [f"{base}/hwinfod-bench" for base in dict.fromkeys([*found.legacy.values(), found.unified]) if base]
    paths = [*bases, *(f"{base}/{number:012x}{number:052x}" for base in bases for number in range(_CGROUPS))]
    made: list[str] = []
    try:
        for path in paths:
            with contextlib.suppress(OSError):  # cpuset of v1, or a hierarchy that is not ours
                os.mkdir(path)
                made.append(path)
        yield
    finally:
        for path in reversed(made):
            os.rmdir(path)


def _cost(bench: Bench, method: str) -> tuple[float, float]:
    """Median CPU seconds of a tick, and those of them in user mode."""
    whole, user = [], []
    for _ in range(_TICKS):
        before = resource.getrusage(resource.RUSAGE_THREAD)
        bench.attempt(method, after=bench.runner.intervals[method])
        after = resource.getrusage(resource.RUSAGE_THREAD)
        user.append(after.ru_utime - before.ru_utime)
        whole.append(user[-1] + after.ru_stime - before.ru_stime)
    return median(whole[5:]), sum(user[5:]) / max(sum(whole[5:]), 1e-9)


def measure() -> list[Line]:
    lines = []
    with _containers():
        bench = Bench(OwnerUsage)
        values = bench.run()
        owners = sum(name.startswith("hw_owner_cpu_seconds_total") for name in values)
        for method in ("sample", "detail", "network"):
            seconds, user = _cost(bench, method)
            note = f"{owners} owners; {user:.0%} in Python, the rest in the kernel"
            lines.append(Line(f"owner_usage {method}", seconds * 1000, "ms", _TICK_TARGET * 1000, note=note))
    return lines
