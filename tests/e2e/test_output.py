# SPDX-License-Identifier: MIT
"""Both programs where nobody takes what they print: `| head` has seen enough, the disk is full, output is closed."""

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
MODULES = {"hwinfoctl": "hwinfod.ctl", "hwinfod": "hwinfod"}


@pytest.fixture
def closed() -> Iterator[int]:
    """A pipe that nobody reads from any more."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def printed(typed: str, output: int, unbuffered: str) -> subprocess.CompletedProcess[str]:
    program, *words = typed.split()
    return subprocess.run(
        [sys.executable, "-m", MODULES[program], *words],
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


@pytest.mark.parametrize("typed", COMMANDS)
def test_closed_output_is_one_sentence(typed: str) -> None:
    done = closing(">&-", typed)
    program = typed.partition(" ")[0]
    assert (done.returncode, done.stderr) == (1, f"{program}: cannot write the output: Bad file descriptor\n")


@pytest.mark.parametrize(("typed", "status"), [("hwinfoctl --socket /nowhere status", 3), ("hwinfod --typo", 2)])
def test_words_of_an_error_go_nowhere_else(typed: str, status: int) -> None:
    done = closing("2>&-", typed)
    assert (done.returncode, done.stdout) == (status, "")


def closing(redirection: str, typed: str) -> subprocess.CompletedProcess[str]:
    """The program with one of its standard descriptors closed."""
    program, *words = typed.split()
    line = f'exec "$@" {redirection}'
    return subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, "-m", MODULES[program], *words],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=PATIENCE_SECONDS, env=clean_environ(),
    )  # fmt: skip
