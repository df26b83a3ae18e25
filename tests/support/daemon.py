# SPDX-License-Identifier: MIT
"""The real daemon process on a fixture host, as a test has it.

with Daemon.start("--export.level=detailed", host=host) as daemon:
    daemon.get("/v1/status").json()
    daemon.scrape()
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.fixtures.host import Host
from tests.support.exposition import TEXT, Exposition, parse
from tests.support.notify import NotifySocket
from tests.support.processes import Program, clean_environ
from tests.support.unix_http import Client, Reply, get

SHARED_MEMORY = Path("/dev/shm")


def make_directory(name: str) -> Path:
    """A short path in memory: socket paths end at 107 bytes, and a host that moves is written again and again."""
    parent = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))


class Daemon(Program):
    """Its Unix socket, one TCP listener on a port of the kernel's choice, and what it told the service manager."""

    def __init__(
        self,
        directory: Path,
        flags: Sequence[str],
        *,
        host: Host | None,
        tcp: bool = True,
        wrapper: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
        **environ: str,
    ) -> None:
        self.directory = directory
        self.socket = str(directory / "hwinfod.sock")
        self.notified = NotifySocket(str(directory / "notify"))
        self._has_tcp = tcp
        command = [sys.executable, "-m", "hwinfod", f"--socket={self.socket}", f"--state-dir={directory / 'state'}"]
        command += host.path_flags if host else []
        command += ["--web.listen-address=127.0.0.1:0"] if tcp else []
        environment = clean_environ(NOTIFY_SOCKET=self.notified.path, **environ)
        super().__init__([*wrapper, *command, *flags], environ=environment, pass_fds=pass_fds)

    @classmethod
    @contextlib.contextmanager
    def start(
        cls,
        *flags: str,
        host: Host | None = None,
        tcp: bool = True,
        ready: bool = True,
        wrapper: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
        **environ: str,
    ) -> Iterator[Daemon]:
        """Started and, unless `ready` is off, ready; gone with its directory at the end of the block. `wrapper` is
        a command that prepares something and then becomes the daemon."""
        directory = make_directory("hwinfod")
        daemon = None
        try:
            daemon = cls(directory, flags, host=host, tcp=tcp, wrapper=wrapper, pass_fds=pass_fds, **environ)
            if ready:
                daemon.wait_ready()
            yield daemon
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            if daemon is not None:
                daemon.notified.close()
                daemon.close()

    def wait_ready(self) -> None:
        self.wait_until(lambda: self.notified.has("READY", "1"), "READY=1")

    def collectors(self) -> dict[str, Any]:
        """/v1/collectors, by name."""
        return {state["name"]: state for state in self.get("/v1/collectors").json()["collectors"]}

    def wait_samples(self, count: int, *names: str) -> None:
        """Until every table has this many samples, or its hardware is not here; of these collectors, or of all. READY
        waits for the first ones only for a moment: on a busy machine what one reads next may be nothing yet."""

        def are_there() -> bool:
            states = [state for name, state in self.collectors().items() if not names or name in names]
            states = [state for state in states if state["state"] != "absent"]
            return all(table["sequence"] >= count for state in states for table in state["tables"])

        self.wait_until(are_there, f"{count} samples of each table")

    def wait_more_samples(self, name: str, count: int) -> None:
        """Until a collector has run this many times more than now."""
        runs = self.collectors()[name]["runs"]
        self.wait_until(lambda: bool(self.collectors()[name]["runs"] >= runs + count), f"{count} samples of {name}")

    @property
    def tcp_address(self) -> tuple[str, int]:
        """Of the metrics listener."""
        assert self._has_tcp
        (port,) = self.tcp_ports()
        return ("127.0.0.1", port)

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.tcp_address)

    def client(self) -> Client:
        return Client(self.socket)

    def get(self, path: str, **headers: str) -> Reply:
        """A GET on the Unix socket."""
        return get(self.socket, path, **headers)

    def get_tcp(self, path: str, **headers: str) -> Reply:
        return get(self.tcp_address, path, **headers)

    def scrape(self, path: str = "/metrics", accept: str = TEXT) -> Exposition:
        """The metrics, strictly parsed."""
        reply = self.get(path, Accept=accept)
        assert reply.status == 200, reply
        return parse(reply.body, reply.headers["content-type"])
