# SPDX-License-Identifier: MIT
"""Whenever the writer of the textfile is killed, the file is absent or whole."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.host import Host
from tests.support.daemon import Daemon, make_directory
from tests.support.exposition import TEXT, parse
from tests.support.processes import python, running

_KILLED_WRITERS = """
import os, random, signal, sys, time
from hwinfod.core.host import OwnFigures
from hwinfod.serve.exposition import Selection
from hwinfod.serve.textfile import Textfile

directory, *bodies = sys.argv[1:]
chance = random.Random(1)

class TakesTurns:
    def render(self, form, selection):
        bodies.reverse()
        return bodies[0].encode() * 20_000

def write_for_ever():
    textfile = Textfile(TakesTurns(), OwnFigures())
    while True:
        textfile.write(directory, Selection())

for _ in range(1000):
    writer = os.fork()
    if writer == 0:
        write_for_ever()
    time.sleep(chance.random() * 0.003)
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    assert set(os.listdir(directory)) <= {"hwinfod.prom", ".hwinfod.prom.tmp"}
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    directory = make_directory("textfile")
    yield directory
    shutil.rmtree(directory)


def test_the_daemon_is_killed_while_it_writes(host: Host, directory: Path) -> None:
    """As soon as its temporary file shows, or a little later. Its successor clears up."""
    chance = random.Random(2)
    flags = (f"--textfile.directory={directory}", "--textfile.interval=1s", "--textfile.level=detailed")
    for _ in range(15):
        with Daemon.start(*flags, host=host, tcp=False) as daemon:
            for name in os.listdir(directory):
                os.unlink(directory / name)
            while not os.listdir(directory):
                assert daemon.process.poll() is None, daemon.output()
            for _ in range(chance.randrange(30)):
                os.listdir(directory)
            daemon.process.kill()
            daemon.process.wait()
        assert set(os.listdir(directory)) <= {"hwinfod.prom", ".hwinfod.prom.tmp"}
        with contextlib.suppress(FileNotFoundError):
            assert parse((directory / "hwinfod.prom").read_bytes(), TEXT).samples
    with Daemon.start(*flags, host=host, tcp=False) as daemon:
        inode = (directory / "hwinfod.prom").stat().st_ino
        daemon.wait_until(lambda: (directory / "hwinfod.prom").stat().st_ino != inode, "new textfile")
        assert os.listdir(directory) == ["hwinfod.prom"]


def test_a_thousand_writers_are_killed_and_a_reader_looks_all_the_time(directory: Path) -> None:
    """Two bodies take turns, and nobody ever sees a third."""
    whole = {text.encode() * 20_000 for text in ("first 1\n", "the_second 2\n")}
    seen = set()
    with running(python("-c", _KILLED_WRITERS, directory, "first 1\n", "the_second 2\n")) as writers:
        while writers.process.poll() is None:
            with contextlib.suppress(FileNotFoundError):
                seen.add((directory / "hwinfod.prom").read_bytes())
        assert writers.process.returncode == 0, writers.output()
    assert seen == whole
