# SPDX-License-Identifier: MIT
"""A guest that has booted, saved: a run goes on from there, which takes a second where a boot takes fifteen.

The guest stops where its script would begin: its file system is written out and frozen (so that its disk is as good
for a boot as it is for going on), it says "ready" on the port vm.go and waits there for a line with the time of day.
What it is then is QEMU's migration stream in a file. That fits the same QEMU, machine, memory and devices only.
Source: docs/interop/qemu-qmp-ref (migrate, query-migrate); docs/devel/migration.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from tests.vm import machine
from tests.vm.machine import Guest

_BOOT_SECONDS = 180.0
_SAVE_SECONDS = 60.0


def save(guest: Guest, directory: Path) -> None:
    """Boots the guest, with a directory for QEMU's files, and writes its `state`. Raises RuntimeError, OSError."""
    (go, their_go), (monitor, their_monitor) = socket.socketpair(), socket.socketpair()
    (directory / "in.tar").touch()
    machine.prepare(directory)
    control = ("-chardev", f"socket,fd={their_monitor.fileno()},id=control", "-mon", "chardev=control,mode=control")
    arguments = machine.command(guest, directory, control, go=f"socket,fd={their_go.fileno()}", keep=True)
    with go, monitor, machine.running(arguments, directory / "qemu", (their_go, their_monitor)):
        go.settimeout(_BOOT_SECONDS)
        monitor.settimeout(_SAVE_SECONDS)
        said = go.makefile("r").readline()
        if said != "ready\n":
            raise RuntimeError(f"the guest did not boot: {(directory / 'console').read_text()}")
        with monitor.makefile("rw") as stream:
            _migrate(stream, guest.state)


@contextlib.contextmanager
def restored(guest: Guest, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The saved guest, going on in a run's directory."""
    go, their_go = socket.socketpair()
    go.sendall(f"{time.time():.3f}\n".encode())
    more = ("-no-reboot", "-incoming", f"exec:cat {shlex.quote(str(guest.state))}")
    arguments = machine.command(guest, directory, more, go=f"socket,fd={their_go.fileno()}")
    with go, machine.running(arguments, directory / "qemu", (their_go,)) as process:
        yield process


def _migrate(stream: TextIO, state: Path) -> None:
    stream.readline()  # the greeting
    _execute(stream, "qmp_capabilities")
    _execute(stream, "migrate", uri=f"exec:cat >{shlex.quote(str(state))}")
    end = time.monotonic() + _SAVE_SECONDS
    while (status := _execute(stream, "query-migrate").get("status")) != "completed":
        if status in ("failed", "cancelled") or time.monotonic() > end:
            raise RuntimeError(f"the guest was not saved: {status}")
        time.sleep(0.1)
    _execute(stream, "quit")


def _execute(stream: TextIO, name: str, **arguments: str) -> dict[str, Any]:
    """What QEMU returns; events are passed over."""
    stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
    stream.flush()
    while True:
        line = stream.readline()
        reply: dict[str, Any] = json.loads(line) if line else {"error": "QEMU has ended"}
        if "error" in reply:
            raise RuntimeError(f"{name}: {reply['error']}")
        if "return" in reply:
            found: dict[str, Any] = reply["return"]
            return found
