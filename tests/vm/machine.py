# SPDX-License-Identifier: MIT
"""The machine that a guest runs in: QEMU's command line, and the process. Software emulation, no network.

QEMU's directory of a run has `in.tar` (what the guest is given), `log`, `status` and `tar` (what it says by virtio
serial ports), `console` (the kernel's), `qemu` (QEMU's own words).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

MEMORY_MIB = 1024
INPUT_BYTES = 128 << 20  # of the disk that brings `in.tar`, sparse: a saved guest knows its size
PROGRAM = "qemu-system-x86_64"

_OUTPUTS = ("log", "status", "tar")
_KERNEL_LINE = (
    "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr random.trust_cpu=on tsc=reliable fsck.mode=skip"
    " net.ifnames=0 systemd.show_status=0 audit=0"
)


class Guest(NamedTuple):
    """What QEMU needs of a guest that is built. `state` is its memory once it has booted, to be gone on from."""

    kernel: Path
    initramfs: Path
    disk: Path
    state: Path

    @classmethod
    def of(cls, directory: Path) -> Guest:
        return cls(*(directory / name for name in ("vmlinuz", "initramfs", "disk", "state")))


def command(
    guest: Guest,
    directory: Path,
    more: Sequence[str] = (),
    *,
    memory_mib: int = MEMORY_MIB,
    go: str = "null",
    keep: bool = False,
) -> list[str]:
    """`go` is the character device that says when to go on, by which a boot is one to be saved. The guest's disk
    is written to only to `keep` what it has become. setpriv: should we be killed, the guest is too."""
    line = _KERNEL_LINE if go == "null" else f"{_KERNEL_LINE} vm.wait"
    ports = [
        argument
        for name in _OUTPUTS
        for argument in (
            *("-chardev", f"file,id={name},path={directory / name}"),
            *("-device", f"virtserialport,chardev={name},name=vm.{name}"),
        )
    ]
    return [
        *("setpriv", "--pdeathsig", "KILL", PROGRAM),
        *("-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", "max", "-smp", "2", "-m", str(memory_mib)),
        *("-display", "none", "-monitor", "none", "-nodefaults", "-no-user-config", "-nic", "none"),
        *("-serial", f"file:{directory / 'console'}"),
        *("-kernel", str(guest.kernel), "-initrd", str(guest.initramfs), "-append", line),
        *("-drive", f"if=none,id=root,file={guest.disk},format=raw,cache=unsafe,snapshot={'off' if keep else 'on'}"),
        *("-device", "virtio-blk-pci,drive=root"),
        *("-drive", f"if=none,id=in,file={directory / 'in.tar'},format=raw,readonly=on"),
        *("-device", "virtio-blk-pci,drive=in,serial=vm-in", "-device", "virtio-serial-pci"),
        *ports,
        *("-chardev", f"{go},id=go", "-device", "virtserialport,chardev=go,name=vm.go"),
        *more,
    ]


def died_of_qemu(console: str) -> bool:
    """Whether the kernel died of its emulation. QEMU before 8.1 that translates code while another thread's processor
    writes it keeps what was there for a moment, which in a kernel that patches itself is an int3 (QEMU's commit
    deba78709ae8, "accel/tcg: Always lock pages before translation"; Debian 12 has 7.2). One boot in some hundred; one
    thread for both processors would be the cure, and takes twice the time."""
    return "Oops: int3" in console


def prepare(directory: Path) -> None:
    """What QEMU wants to find in the directory of a run beside `in.tar`, which is made as large as its disk."""
    with open(directory / "in.tar", "ab") as file:
        if file.tell() > INPUT_BYTES:
            raise ValueError(f"{file.tell()} bytes are more than a guest can be given")
        file.truncate(INPUT_BYTES)
    for name in (*_OUTPUTS, "console", "qemu"):
        (directory / name).touch()


@contextlib.contextmanager
def running(
    arguments: Sequence[str], errors: Path, pass_: Sequence[socket.socket] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """QEMU, which has ended when this ends. `pass_` are sockets that it keeps, by their numbers."""
    environ = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    numbers = [each.fileno() for each in pass_]
    with open(errors, "wb") as stream:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environ, start_new_session=True,
            pass_fds=numbers,
        )  # fmt: skip
    for each in pass_:
        each.close()
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
