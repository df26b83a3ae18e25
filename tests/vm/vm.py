# SPDX-License-Identifier: MIT
"""A Debian guest for one script: files in, log, files and exit status out. Software emulation, no network.

    result = vm.run("rdma link >$OUT/links", files={"probe.py": path})
    result.check().read("links")

Each run has a guest of its own, from an image that is never written: one that was saved when it had booted, or, in
a machine that differs from that one's, a boot of some 15 s. What QEMU is given and leaves lies in a directory that
goes with it; QEMU itself dies with this process.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.vm import machine, snapshot
from tests.vm.build import CACHE, guest
from tests.vm.machine import Guest

FAILED = CACHE / "failed"
TIMED_OUT, NO_STATUS = 124, 125

_MOST_FAILURES = 5
_MOST_BOOTS = 3


@dataclass(frozen=True)
class Result:
    """`status` is the script's exit status; TIMED_OUT, or NO_STATUS where the guest ended without one. `log` is
    its output, `console` the kernel's, `files` what it left in $OUT (empty unless it ran to its end)."""

    status: int
    log: str
    console: str
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    seconds: float = 0.0
    kept: Path | None = None

    def check(self) -> Result:
        """Itself. Raises AssertionError with the end of the log where the script failed."""
        end = "\n".join(self.log.splitlines()[-40:])
        console = "" if self.log else f"\nconsole:\n{self.console[-2000:]}"
        assert self.status == 0, f"exit status {self.status} in the guest; all is in {self.kept}\n{end}{console}"
        return self

    def read(self, name: str) -> str:
        return self.files[name].decode()

    def json(self, name: str) -> Any:
        return json.loads(self.files[name])


def run(
    script: str,
    files: Mapping[str, Path | bytes | str] | None = None,
    *,
    suite: str = "bookworm",
    image: str = "rdma",
    limit_seconds: float = 240.0,
    memory_mib: int = machine.MEMORY_MIB,
    reboots: bool = False,
    qemu: Sequence[str] = (),
) -> Result:
    """Runs a shell script as root in a guest, in a directory with the files by name (a directory with all that is
    in it); $OUT is where it may leave others. `suite` and `image` are of build.SUITES and build.IMAGES, `qemu`
    further arguments, such as devices. Where it `reboots` the script runs again in each boot, over the same disk."""
    built = guest(suite, image)
    for boot in range(_MOST_BOOTS):
        result = _run_once(built, script, files or {}, limit_seconds, memory_mib, reboots, qemu)
        if result.log or not machine.died_of_qemu(result.console):
            break
        print(f"boot {boot + 1} died of QEMU before the script began: {result.kept}")
    return result


def _run_once(
    built: Guest,
    script: str,
    files: Mapping[str, Path | bytes | str],
    limit_seconds: float,
    memory_mib: int,
    reboots: bool,
    qemu: Sequence[str],
) -> Result:
    with tempfile.TemporaryDirectory(prefix="hwinfod-vm-") as name:
        directory = Path(name)
        _write_input(directory / "in.tar", script, files)
        machine.prepare(directory)
        begun = time.monotonic()
        with _machine(built, directory, memory_mib, reboots, qemu) as process:
            ended = _ends(process, limit_seconds)
        result = _result(directory, ended, time.monotonic() - begun)
        return result if result.status == 0 else _keep(result, directory)


def _write_input(path: Path, script: str, files: Mapping[str, Path | bytes | str]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in {"run": script, **files}.items():
            if isinstance(content, Path):
                tar.add(content, name, filter=_without_caches)
                continue
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))


def _without_caches(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if info.name.endswith(("__pycache__", ".pyc")) else info


def _machine(
    built: Guest, directory: Path, memory_mib: int, reboots: bool, more: Sequence[str]
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A saved guest that goes on; one that boots where its machine is another, or the same for longer."""
    if memory_mib == machine.MEMORY_MIB and not reboots and not more:
        return snapshot.restored(built, directory)
    more = more if reboots else ["-no-reboot", *more]
    return machine.running(machine.command(built, directory, more, memory_mib=memory_mib), directory / "qemu")


def _ends(process: subprocess.Popen[bytes], limit_seconds: float) -> bool:
    """Whether the guest ended within the limit."""
    try:
        process.wait(limit_seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _result(directory: Path, ended: bool, seconds: float) -> Result:
    status = (directory / "status").read_text().strip()
    console = "\n".join((directory / name).read_text(errors="replace") for name in ("console", "qemu"))
    files: dict[str, bytes] = {}
    if status:
        with tarfile.open(directory / "tar") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None:
                    files[member.name.removeprefix("./")] = content.read()
    code = int(status) if status else NO_STATUS if ended else TIMED_OUT
    return Result(code, (directory / "log").read_text(errors="replace"), console, files, seconds)


def _keep(result: Result, directory: Path) -> Result:
    """Everything that a failed run left, of the last few."""
    FAILED.mkdir(parents=True, exist_ok=True)
    for old in sorted(FAILED.iterdir())[: 1 - _MOST_FAILURES]:
        shutil.rmtree(old, ignore_errors=True)
    kept = FAILED / f"{time.time_ns()}"
    shutil.copytree(directory, kept)
    return Result(result.status, result.log, result.console, result.files, result.seconds, kept)
