# SPDX-License-Identifier: MIT
"""`make vm`: a Debian 12 guest out of Debian's packages: kernel, a tiny initramfs, a disk image. Needs root.

What is here is named by everything that it is made of, so that a change builds it anew and nothing else does. It
is built aside and moved into place in one step: whatever stands there is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.vm.initramfs import pack

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache" / "vm"
SUITE = "bookworm"

_GUEST = HERE / "guest"
_DISK_SIZE = "3G"  # sparse
_MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "ext4", "crc32c_generic")
_NEVER_USED = ("sound", "drivers/media", "drivers/net/wireless", "drivers/staging", "drivers/isdn", "drivers/input")
_MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "getty@tty1.service", "serial-getty@ttyS0.service", "systemd-journal-flush.service",
    "systemd-machine-id-commit.service", "systemd-random-seed.service",
    "systemd-update-utmp.service",
)  # fmt: skip
_ENVIRON = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


class Guest(NamedTuple):
    """What QEMU needs of a guest that is built."""

    kernel: Path
    initramfs: Path
    disk: Path


def guest() -> Guest:
    """The guest as it should be now: built first where it is not there. Raises subprocess.CalledProcessError."""
    recipe = hashlib.sha256(SUITE.encode())
    for path in [*sorted(_GUEST.iterdir()), Path(__file__), HERE / "initramfs.py"]:
        recipe.update(path.read_bytes())
    directory = CACHE / f"debian12-{recipe.hexdigest()[:12]}"
    with _locked():
        if not directory.exists():
            _forget_others()
            _build(directory)
    return Guest(directory / "vmlinuz", directory / "initramfs", directory / "disk")


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One builder at a time, whichever test or `make vm` that is."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_others() -> None:
    """Guests of older recipes, and what a builder that was killed has left."""
    for old in [*CACHE.glob("debian12-*"), *CACHE.glob("building-*")]:
        shutil.rmtree(old)


def _build(directory: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="building-", dir=CACHE) as name:
        work = Path(name)
        root, made = work / "root", work / "made"
        made.mkdir()
        _bootstrap(root)
        _configure(root)
        (version,) = (path.name for path in (root / "lib/modules").iterdir())
        shutil.copy(root / f"boot/vmlinuz-{version}", made / "vmlinuz")
        (made / "initramfs").write_bytes(pack(root, version, _MODULES, (_GUEST / "init").read_bytes()))
        shutil.rmtree(root / "boot")
        _run(
            "mke2fs",
            "-q",
            "-t",
            "ext4",
            "-O",
            "^has_journal",
            "-m",
            "0",
            "-d",
            str(root),
            str(made / "disk"),
            _DISK_SIZE,
        )
        made.rename(directory)


def _bootstrap(root: Path) -> None:
    lines = (_GUEST / "packages.txt").read_text().splitlines()
    packages = ",".join(line for line in lines if line and not line.startswith("#"))
    excluded = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*"]
    excluded += [f"/lib/modules/*/kernel/{part}/*" for part in _NEVER_USED]
    _run(
        "mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", f"--include={packages}",
        "--aptopt=Acquire::Languages none", "--aptopt=Acquire::Retries 3",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in excluded),
        SUITE, str(root), *_sources(),
    )  # fmt: skip


def _sources() -> list[str]:
    """This machine's own, where it is a Debian 12 too: it may have a mirror that is nearer. Else Debian's."""
    release = Path("/etc/os-release").read_text()
    if f"VERSION_CODENAME={SUITE}" not in release:
        return []
    own = [Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources")]
    return [str(path) for path in own if path.exists() and path.stat().st_size]


def _configure(root: Path) -> None:
    """No fsck, no timers, no first boot, no password, the journal in memory; and our service."""
    files = {
        "etc/fstab": "",
        "etc/hostname": "guest\n",
        "etc/hosts": "127.0.0.1 localhost guest\n",
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "etc/systemd/journald.conf.d/vm.conf": "[Journal]\nStorage=volatile\n",
        "etc/systemd/system/vm.service": (_GUEST / "vm.service").read_text(),
        "etc/systemd/system/vm.target": (_GUEST / "vm.target").read_text(),
        "usr/local/sbin/vm-run": (_GUEST / "vm-run").read_text(),
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "usr/local/sbin/vm-run").chmod(0o755)
    units = root / "etc/systemd/system"
    for unit in _MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    (units / "default.target").symlink_to("/etc/systemd/system/vm.target")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env={**os.environ, **_ENVIRON})


if __name__ == "__main__":
    print(*guest(), sep="\n")
