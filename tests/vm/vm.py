# SPDX-License-Identifier: MIT
"""A Debian 12 guest for one script: files in, log, files and exit status out. Software emulation, no network.

    result = vm.run("rdma link >$OUT/links", files={"probe.py": path})
    result.check().read("links")

Each run boots a guest of its own (some 15 s) from an image that is never written. What QEMU is given and leaves
lies in a directory that goes with it; QEMU itself dies with this process.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.vm.build import CACHE, Guest, guest

FAILED = CACHE / "failed"
TIMED_OUT, NO_STATUS = 124, 125

_KERNEL_LINE = (
    "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr random.trust_cpu=on fsck.mode=skip"
    " net.ifnames=0 systemd.show_status=0 audit=0"
)
_MOST_FAILURES = 5


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
    limit_seconds: float = 240.0,
    memory_mib: int = 1024,
    qemu: Sequence[str] = (),
) -> Result:
    """Runs a shell script as root in a guest, in a directory with the files by name (a directory with all that is
    in it); $OUT is where it may leave others. `qemu` are further arguments, such as devices."""
    built = guest()
    with tempfile.TemporaryDirectory(prefix="hwinfod-vm-") as name:
        directory = Path(name)
        _write_input(directory / "in.tar", script, files or {})
        for output in ("log", "status", "tar", "console", "qemu"):
            (directory / output).touch()
        begun = time.monotonic()
        ended = _boot(_command(built, directory, memory_mib, qemu), directory / "qemu", limit_seconds)
        result = _result(directory, ended, time.monotonic() - begun)
        return result if result.status == 0 else _keep(result, directory)


def _write_input(path: Path, script: str, files: Mapping[str, Path | bytes | str]) -> None:
    """A tar, padded to whole sectors by its own blocks."""
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


def _command(built: Guest, directory: Path, memory_mib: int, more: Sequence[str]) -> list[str]:
    """setpriv: should we be killed, the guest is too."""
    ports = [
        argument
        for name in ("log", "status", "tar")
        for argument in (
            *("-chardev", f"file,id={name},path={directory / name}"),
            *("-device", f"virtserialport,chardev={name},name=vm.{name}"),
        )
    ]
    return [
        *("setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"),
        *("-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", "max", "-smp", "2", "-m", str(memory_mib)),
        *("-display", "none", "-monitor", "none", "-nodefaults", "-no-user-config", "-no-reboot", "-nic", "none"),
        *("-serial", f"file:{directory / 'console'}"),
        *("-kernel", str(built.kernel), "-initrd", str(built.initramfs), "-append", _KERNEL_LINE),
        *("-drive", f"if=none,id=root,file={built.disk},format=raw,snapshot=on,cache=unsafe"),
        *("-device", "virtio-blk-pci,drive=root"),
        *("-drive", f"if=none,id=in,file={directory / 'in.tar'},format=raw,readonly=on"),
        *("-device", "virtio-blk-pci,drive=in,serial=vm-in", "-device", "virtio-serial-pci"),
        *ports,
        *more,
    ]


def _boot(command: list[str], errors: Path, limit_seconds: float) -> bool:
    """Whether the guest ended within the limit."""
    environ = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    with open(errors, "wb") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environ, start_new_session=True
        )
        try:
            process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
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
