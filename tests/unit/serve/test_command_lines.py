# SPDX-License-Identifier: MIT
"""Command lines: of the process that is meant, for whom they are, and at the cost of no other answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from hwinfod.core.clock import Clock
from hwinfod.serve import aside
from hwinfod.serve.aside import MOST_HANGING, Aside
from hwinfod.serve.command_lines import command_line_of
from hwinfod.sources.files import Roots

STAT = "{} (python) S 1" + " 0" * 17 + " {}" + " 0" * 30 + "\n"


class Proc:
    """A procfs, whose command lines are files, or pipes that nobody writes to: reading those hangs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.read_one = partial(command_line_of, Roots(procfs=str(directory)))
        self.lines = Aside(Clock())

    def start(self, pid: int, command: str | None, start: int = 7) -> Path:
        process = self.directory / str(pid)
        process.mkdir()
        (process / "stat").write_text(STAT.format(pid, start))
        file = process / "cmdline"
        if command is None:
            os.mkfifo(file)
        else:
            file.write_text(command)
        return file

    def read(self, *pids: int, start: int = 7) -> dict[int, str]:
        found = asyncio.run(self.lines.read([(pid, start) for pid in pids], self.read_one))
        return {pid: line for (pid, _), line in found.items()}


@pytest.fixture
def proc(tmp_path: Path) -> Iterator[Proc]:
    proc = Proc(tmp_path)
    with contextlib.closing(proc.lines):
        yield proc
        for file in tmp_path.glob("*/cmdline"):
            if file.is_fifo():
                _write(file, "")


def _write(pipe: Path, text: str) -> None:
    """What whoever reads the pipe waits for, if somebody does."""
    with contextlib.suppress(OSError):
        fd = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        os.write(fd, text.encode())
        os.close(fd)


def test_a_number_that_another_process_has_now_is_not_it(proc: Proc) -> None:
    proc.start(1, "python\0train.py\0")
    assert proc.read(1) == {1: "python train.py"}
    assert proc.read(1, start=6) == {}
    assert proc.read(2) == {}


def test_a_process_of_this_machine() -> None:
    lines = Aside(Clock())
    own = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    key = (os.getpid(), int(own[19]))
    with contextlib.closing(lines):
        (line,) = asyncio.run(lines.read([key], partial(command_line_of, Roots()))).values()
    assert line == " ".join(Path("/proc/self/cmdline").read_text().split("\0")).strip()


def test_one_that_hangs_costs_its_own_line(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    proc.start(1, "first\0")
    pipe = proc.start(2, None)
    proc.start(3, "third\0")
    with monkeypatch.context() as patch:
        patch.setattr(aside, "DEADLINE_SECONDS", 0.05)
        assert 2 not in proc.read(1, 2, 3)
    assert proc.read(1, 2, 3) == {1: "first", 3: "third"}, "a new thread leaves it alone"
    _write(pipe, "second\0")
    (left,) = proc.lines._left
    assert left[0].join(60)
    pipe.unlink()
    pipe.write_text("second\0")
    assert proc.read(1, 2, 3) == {1: "first", 2: "second", 3: "third"}


def test_no_more_threads_than_a_few_hang(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    proc.start(99, "works\0")
    with monkeypatch.context() as patch:
        patch.setattr(aside, "DEADLINE_SECONDS", 0.05)
        for pid in range(MOST_HANGING):
            proc.start(pid + 1, None)
            while len(proc.lines._left) == pid:
                assert proc.read(pid + 1) == {}
    assert proc.read(99) == {}
    _write(proc.directory / "1/cmdline", "")
    assert proc.lines._left[0][0].join(60)
    assert proc.read(99) == {99: "works"}
