# SPDX-License-Identifier: MIT
"""`make vm`: guests out of Debian's packages: kernel, a tiny initramfs, a disk image, and what it is when it has
booted. Needs root.

A guest is a suite of Debian and an image, which is a list of packages and one of kernel modules that Debian does not
build. It is named by everything that it is made of, so that a change builds it anew and nothing else does. It is built
aside and moved into place in one step: whatever stands there is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.vm import machine, snapshot
from tests.vm.initramfs import pack
from tests.vm.machine import Guest

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache" / "vm"
SUITES = ("bookworm", "trixie")
IMAGES = ("rdma", "plain")

_GUEST = HERE / "guest"
_PUT_IN = {
    "init": "",  # of the initramfs
    "vm.service": "etc/systemd/system/vm.service",
    "vm.target": "etc/systemd/system/vm.target",
    "vm-run": "usr/local/sbin/vm-run",
}
_BUILD_MODULES = _GUEST / "build-modules"
_MAKERS = ("build.py", "initramfs.py", "machine.py", "snapshot.py")
_DISK_SIZE = "3G"  # sparse
_MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "ext4", "crc32c_generic")
_NEVER_USED = ("sound", "drivers/media", "drivers/net/wireless", "drivers/staging", "drivers/isdn", "drivers/input")
# Installed, and started by a test that wants them.
_IDLE = (
    "containerd.service", "docker.service", "docker.socket", "lm-sensors.service", "podman-auto-update.service",
    "podman-auto-update.timer", "podman-clean-transient.service", "podman-restart.service", "podman.service",
    "podman.socket", "prometheus-node-exporter.service", "prometheus.service",
)  # fmt: skip
_MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "getty@tty1.service", "ldconfig.service", "logrotate.timer", "nvmefc-boot-connections.service",
    "nvmf-autoconnect.service", "serial-getty@ttyS0.service", "systemd-journal-catalog-update.service",
    "systemd-journal-flush.service", "systemd-machine-id-commit.service", "systemd-random-seed.service",
    "systemd-update-utmp.service",
)  # fmt: skip
_ENVIRON = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def guest(suite: str, image: str) -> Guest:
    """The guest as it should be now: built first where it is not there. Raises subprocess.CalledProcessError."""
    lists = (_GUEST / "packages.txt", _GUEST / f"packages-{image}.txt")
    recipe = hashlib.sha256(f"{suite} {image} {_qemu()}".encode())
    modules = _GUEST / f"modules-{image}.txt"
    for path in [*lists, *_made_of(modules), *(_GUEST / name for name in _PUT_IN), *(HERE / name for name in _MAKERS)]:
        recipe.update(path.read_bytes())
    kind = f"{suite}-{image}-"
    directory = CACHE / f"{kind}{recipe.hexdigest()[:12]}"
    with _locked():
        if not directory.exists():
            _forget_others(kind)
            _build(directory, suite, _lines(lists), modules)
    return Guest.of(directory)


@functools.cache
def _qemu() -> str:
    """The version: another one may not understand what this one saved."""
    done = subprocess.run([machine.PROGRAM, "--version"], check=True, capture_output=True, text=True)
    return done.stdout


def _made_of(modules: Path) -> Iterator[Path]:
    """The list of modules, what builds them, and the sources that are ours."""
    if not modules.exists():
        return
    yield from (modules, _BUILD_MODULES)
    for line in _lines([modules]):
        yield from (path for path in sorted((_GUEST / line.split()[0]).rglob("*")) if path.is_file())


def _lines(lists: Iterable[Path]) -> list[str]:
    lines = [line for path in lists for line in path.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One builder at a time, whichever test or `make vm` that is."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_others(kind: str) -> None:
    """Guests of this kind by older recipes, and what a builder that was killed has left."""
    for old in [*CACHE.glob(f"{kind}*"), *CACHE.glob("building-*")]:
        shutil.rmtree(old)


def _build(directory: Path, suite: str, packages: list[str], modules: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="building-", dir=CACHE) as name:
        work = Path(name)
        root, made = work / "root", work / "made"
        made.mkdir()
        _bootstrap(root, suite, packages, modules)
        _configure(root)
        (version,) = (path.name for path in (root / "lib/modules").iterdir())
        shutil.copy(root / f"boot/vmlinuz-{version}", made / "vmlinuz")
        (made / "initramfs").write_bytes(pack(root, version, _MODULES, (_GUEST / "init").read_bytes()))
        shutil.rmtree(root / "boot")
        _run(
            *("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0"),
            *("-d", str(root), str(made / "disk"), _DISK_SIZE),
        )
        run = work / "run"
        run.mkdir()
        snapshot.save(Guest.of(made), run)
        made.rename(directory)


def _bootstrap(root: Path, suite: str, packages: list[str], modules: Path) -> None:
    excluded = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*"]
    excluded += [f"{usr}/lib/modules/*/kernel/{part}/*" for part in _NEVER_USED for usr in ("", "/usr")]
    _run(
        *("mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", f"--include={','.join(packages)}"),
        *("--aptopt=Acquire::Languages none", "--aptopt=Acquire::Retries 3"),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in excluded),
        *([f'--customize-hook=sh {_BUILD_MODULES} "$1" {modules}'] if modules.exists() else []),
        *(suite, str(root), *_sources(suite)),
    )


def _sources(suite: str) -> list[str]:
    """This machine's own, where it is of the same suite: it may have a mirror that is nearer. Else Debian's."""
    release = Path("/etc/os-release").read_text()
    if f"VERSION_CODENAME={suite}" not in release:
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
        **{into: (_GUEST / name).read_text() for name, into in _PUT_IN.items() if into},
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "usr/local/sbin/vm-run").chmod(0o755)
    units = root / "etc/systemd/system"
    for unit in _IDLE:
        for wanted in units.glob(f"*.wants/{unit}"):
            wanted.unlink()
    for unit in _MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    (units / "default.target").symlink_to("/etc/systemd/system/vm.target")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env={**os.environ, **_ENVIRON})


if __name__ == "__main__":
    for each_suite, each_image in itertools.product(SUITES, IMAGES):
        print(guest(each_suite, each_image).disk.parent)
