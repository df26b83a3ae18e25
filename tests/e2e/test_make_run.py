# SPDX-License-Identifier: MIT
"""The README's first command, as it is typed: in the foreground, until Ctrl-C."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys

import psutil
import pytest

from tests.support.daemon import make_directory
from tests.support.processes import Program, running


@pytest.mark.timeout(600)  # on a new clone it installs what the daemon needs
def test_it_says_what_to_type_next_and_ends_by_ctrl_c() -> None:
    directory = make_directory("run")
    socket = directory / "hwinfod.sock"
    arguments = f"ARGS=--socket={socket} --state-dir={directory}"
    with running(Program(["setsid", "make", "run", "LISTEN=127.0.0.1:0", arguments])) as run:
        run.wait_until(lambda: "collectors sampling" in run.output(), "samples")
        said = run.output()
        assert "Ctrl-C stops it. Type next, in another terminal:" in said
        assert re.search(r"^  \S+/hwinfoctl status\n  curl -s http", said, re.MULTILINE)
        assert socket.is_socket()
        os.killpg(run.pid, signal.SIGINT)  # as the terminal does: everything that runs in the foreground gets it
        run.process.wait(60)
        assert not socket.exists()
        assert "Traceback" not in run.output()
    shutil.rmtree(directory)


@pytest.mark.timeout(600)
def test_on_a_terminal_it_names_its_own_socket_last_and_once() -> None:
    """A service of this host may have the default socket: what is to be typed asks the daemon that was just started."""
    directory = make_directory("run")
    socket = directory / "hwinfod.sock"
    arguments = f"ARGS=--socket={socket} --state-dir={directory}"
    on_terminal = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]
    with running(Program([*on_terminal, "make", "run", "LISTEN=127.0.0.1:0", arguments])) as run:
        run.wait_until(lambda: "Ctrl-C stops it." in run.output(), "what to type next")
        _, next_ = run.output().split("in another terminal:")
        command, *_ = re.findall(r"\S+/hwinfoctl --socket \S+ status", next_)
        done = subprocess.run(command.split(), capture_output=True, check=False, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "collectors" in done.stdout
        programs = psutil.Process(run.pid).children(recursive=True)
        assert "hwinfod" in {program.name() for program in programs}, "by which pkill finds it"
        for program in programs:
            program.send_signal(signal.SIGINT)
        run.process.wait(60)
        assert not socket.exists()
    shutil.rmtree(directory)
