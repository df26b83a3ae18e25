# SPDX-License-Identifier: MIT
"""What NVIDIA GPUs cost: a second of eight boards, above what the library itself takes for the same calls made from C,
and against starting a program for the same figures, as those do that read nvidia-smi.

The library is the one of the tests. What a driver takes for these calls is not measured here, and is the same for all.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pynvml

from bench.cost import IN_MEMORY
from bench.report import Line, ratio_line
from hwinfod.core.health import State
from hwinfod.sources.nvml import LIBRARY
from tests.support import nvml_profiles as profiles
from tests.support.bench import Bench
from tests.support.nvml_machine import Machine

_SOURCE = Path(__file__).with_name("nvml_query.c")
_TICKS = 40
_PASSES = 200
_ROUNDS = 7


def measure() -> list[Line]:
    directory = Path(tempfile.mkdtemp(prefix="bench-nvidia-", dir=IN_MEMORY))
    try:
        return [*_a100(directory / "a100"), *_h100(directory / "h100")]
    finally:
        shutil.rmtree(directory)


def _a100(directory: Path) -> list[Line]:
    with _machine(directory, profiles.a100()) as bench:
        query = _compile(directory)
        calls = directory / "calls"
        calls.write_text("".join(f"{call}\n" for call in _record(lambda: _tick(bench))))
        ticks, passes, starts = [], [], []
        for _ in range(_ROUNDS):
            ticks.append(_median(lambda: _tick(bench)))
            passes.append(_query(query, calls, _PASSES) / 1e6)
            starts.append(_started(query, calls))
        above = [tick - alone for tick, alone in zip(ticks, passes)]
        number = len(calls.read_text().splitlines())
        note = f"{median(ticks):.2f} ms, of which the library's {number} calls take {median(passes):.2f} from C"
        return [
            Line("NVIDIA, 8 A100, a second, above the library", median(above), "ms", 1.0, note=note),
            ratio_line("a tick / starting a C program for it", ticks, starts, None, f"{median(starts):.2f} ms of CPU"),
            *_beats(bench, "A100"),
        ]


def _h100(directory: Path) -> list[Line]:
    with _machine(directory, profiles.h100()) as bench:
        note = "with GPM, one GPU cut into MIG instances; the library's time inside"
        return [
            Line("8 H100, a second", _median(lambda: _tick(bench)), "ms", note=note),
            *_beats(bench, "H100"),
        ]


def _beats(bench: Bench, name: str) -> list[Line]:
    lines = []
    for method, seconds in (("links", 5), ("processes", 5), ("facts", 10)):
        cost = _median(lambda method=method: _tick(bench, method))  # type: ignore[misc]
        lines.append(Line(f"{name}: {method}, every {seconds} s", cost, "ms", note="the library's time inside"))
    return lines


@contextmanager
def _machine(directory: Path, state: dict[str, object]) -> Iterator[Bench]:
    machine = Machine(directory, state)
    os.environ |= machine.fake.environ
    bench = machine.bench()
    try:
        for method in ("sample", "links", "processes", "facts"):
            _tick(bench, method)
        yield bench
    finally:
        bench.runner.close()


def _tick(bench: Bench, method: str = "sample") -> None:
    assert bench.attempt(method) is State.OK, bench.reason


def _record(act: Callable[[], None]) -> list[str]:
    """The calls into the library that `act` makes, as nvml_query reads them."""
    handles = {_pointer(pynvml.nvmlDeviceGetHandleByIndex(gpu)): gpu for gpu in range(8)}
    calls: list[str] = []
    functions = dict(pynvml._nvmlGetFunctionPointer_cache)

    def spy(name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(" ".join([name, *(_written(argument, handles) for argument in arguments)]))
            return functions[name](*arguments)

        return call

    pynvml._nvmlGetFunctionPointer_cache.update({name: spy(name) for name in functions})
    try:
        act()
    finally:
        pynvml._nvmlGetFunctionPointer_cache.update(functions)
    return calls


def _written(argument: Any, handles: dict[int, int]) -> str:
    if isinstance(argument, ctypes._Pointer):
        return f"g{handles[_pointer(argument)]}"
    value = getattr(argument, "value", argument)
    if isinstance(argument, int) or (isinstance(argument, ctypes._SimpleCData) and isinstance(value, int)):
        return str(value)
    memory = getattr(argument, "_obj", argument)  # of a byref
    return f"={bytes(memory).hex()}"


def _pointer(handle: Any) -> int:
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def _compile(directory: Path) -> Path:
    program = directory / "nvml_query"
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, _SOURCE, "-ldl"], check=True)
    return program


def _query(program: Path, calls: Path, times: int) -> float:
    done = subprocess.run([program, LIBRARY.path, calls, str(times)], check=True, capture_output=True)
    return float(done.stdout)


def _started(program: Path, calls: Path) -> float:
    """CPU milliseconds of the program and of starting it, with what it prints read and thrown away."""
    costs = []
    for _ in range(_TICKS):
        before = _cpu()
        done = subprocess.run([program, LIBRARY.path, calls, "0"], check=True, capture_output=True)
        costs.append((_cpu() - before) * 1e3)
        assert done.stdout.count(b"\n") == 8, done.stdout
    return median(costs)


def _cpu() -> float:
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + child.ru_utime + child.ru_stime


def _median(call: Callable[[], object]) -> float:
    """CPU milliseconds of a call, after a few to warm up."""
    costs = []
    for _ in range(_TICKS):
        before = time.thread_time()
        call()
        costs.append((time.thread_time() - before) * 1e3)
    return median(costs[5:])
