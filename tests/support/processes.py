# SPDX-License-Identifier: MIT
"""Real programs beside a test: started, waited for by an event, always ended, their output kept for the report."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0  # on a machine that is busy with other tests; never a measure of anything
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


AnyProgram = TypeVar("AnyProgram", bound="Program")


class Failed(AssertionError):
    """A program did not do what the test needs. The message carries its output."""


class Program:
    """A running program. Output goes to a file: a pipe that nobody empties would stop it."""

    def __init__(
        self, command: Sequence[str | Path], *, environ: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()
    ) -> None:
        self.name = os.path.basename(os.fspath(command[0]))
        self._output = os.memfd_create(self.name, os.MFD_CLOEXEC)
        self.process = subprocess.Popen(
            [os.fspath(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=clean_environ() if environ is None else dict(environ),
            pass_fds=pass_fds,
        )
        self.pid = self.process.pid

    def output(self) -> str:
        """What it has printed so far."""
        size = os.fstat(self._output).st_size
        return os.pread(self._output, size, 0).decode("utf-8", "replace")

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Until `condition` holds. Raises Failed when the program ends before, or patience does."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            status = self.process.poll()
            if status is not None:
                raise Failed(f"{self.name} exited with {status} before {what}:\n{self.output()}")
            if time.monotonic() > deadline:
                raise Failed(f"{self.name}: no {what} after {PATIENCE_SECONDS:.0f} s:\n{self.output()}")
            time.sleep(0.01)

    def tcp_ports(self) -> list[int]:
        """The TCP ports it listens on, so that it can be started on port 0 and nobody races for a free one."""
        connections = psutil.Process(self.pid).net_connections("tcp")
        return [connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to end, and returns the exit status. Raises Failed if it does not."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end:\n{self.output()}") from None

    def close(self) -> None:
        """Gone afterwards, whatever it was doing. Raises Failed for what sleeps in D state."""
        if self.process.poll() is None:
            self.process.kill()
        try:
            self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} cannot be killed: release what it hangs in first") from None
        finally:
            os.close(self._output)


@contextlib.contextmanager
def running(program: AnyProgram) -> Iterator[AnyProgram]:
    """Closed at the end of the block."""
    try:
        yield program
    finally:
        program.close()


def python(*arguments: str | Path) -> Program:
    """This Python, with our packages to import."""
    return Program([sys.executable, *arguments])


def clean_environ(**more: str) -> dict[str, str]:
    """An environment without the tester's own settings."""
    path = f"{os.environ.get('PATH', os.defpath)}:{_SBIN}"
    return {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "PYTHONWARNINGS": "error", **more}


def run(*command: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A program that ends by itself."""
    return subprocess.run(
        [os.fspath(word) for word in command],
        input=stdin,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=clean_environ(),
        timeout=PATIENCE_SECONDS,
    )
