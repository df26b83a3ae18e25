# SPDX-License-Identifier: MIT
"""Both programs where nobody takes what they print: `| head` has seen enough, and the disk is full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.processes import PATIENCE_SECONDS, ROOT, clean_environ

COMMANDS = [
    "hwinfoctl --help",
    "hwinfoctl history --help",
    "hwinfod --help",
    "hwinfod --print-config",
    "hwinfod --version",
]


@pytest.fixture
def closed() -> Iterator[int]:
    """A pipe that nobody reads from any more."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def printed(typed: str, output: int, unbuffered: str) -> subprocess.CompletedProcess[str]:
    program, *words = typed.split()
    module = {"hwinfoctl": "hwinfod.ctl", "hwinfod": "hwinfod"}[program]
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        stdout=output, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT, timeout=PATIENCE_SECONDS,
        env=clean_environ(PYTHONUNBUFFERED=unbuffered),
    )  # fmt: skip


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("typed", COMMANDS)
def test_a_reader_that_left_is_no_error(closed: int, typed: str, unbuffered: str) -> None:
    done = printed(typed, closed, unbuffered)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("typed", COMMANDS)
def test_a_full_disk_is_one_sentence(typed: str) -> None:
    with open("/dev/full", "w") as full:
        done = printed(typed, full.fileno(), "")
    program = typed.partition(" ")[0]
    assert (done.returncode, done.stderr) == (1, f"{program}: cannot write the output: No space left on device\n")
