# SPDX-License-Identifier: MIT
"""containerd, dockerd and Podman from Debian's packages, each with directories and a socket of its own: nothing of the
machine's own runtimes is touched, and nothing of these is left."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from hwinfod.sources.cgroupfs import find_hierarchies
from hwinfod.sources.files import Roots
from tests.support import oci_image

_SECONDS = 60.0
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_MNT_DETACH = 2
_CGROUPS = ("default", "docker", "k8s.io", "kubepods", "libpod_parent")
_LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")  # Podman would raise ours: that takes a capability


class Runtime:
    """A runtime that serves at `socket`, below `root`, which the daemon is given as the host's root."""

    path = ""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.socket = self.root / self.path.lstrip("/")
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None
        self._cgroups = set(_cgroups())

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        """Returns when it answers at its socket."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environ(),
                cwd=self.directory,
            )
        _wait(self._answers, f"{self.command()[0]} serves no socket: {self._log()}")

    def stop(self) -> None:
        """The runtime alone: its containers run on, where it lets them."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(_SECONDS)
        with contextlib.suppress(FileNotFoundError):
            self.socket.unlink()

    def run(self, *command: str, check: bool = True) -> str:
        """A client's command. What it prints."""
        done = subprocess.run(
            command, capture_output=True, text=True, env=self._environ(), timeout=_SECONDS, check=False,
            stdin=subprocess.DEVNULL, cwd=self.directory,  # conmon leaves a file where it stands
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr}{self._log()}"
        return done.stdout

    def pids(self) -> list[int]:
        """The processes that have this directory in their command line: the runtime and what it has left behind."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if str(self.directory).encode() in entry.read_bytes():
                    found.append(int(entry.parent.name))
        return [pid for pid in found if pid != os.getpid()]

    def end(self) -> None:
        """Everything: shims, mounts, files."""
        for _ in range(2):  # what a dying one starts at its end
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait(_SECONDS)
        _wait(lambda: not self.pids(), "processes are left")
        libc = ctypes.CDLL(None)
        for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
            target = line.split()[4]
            if target.startswith(f"{self.directory}/"):
                libc.umount2(target.encode(), _MNT_DETACH)
        for cgroup in sorted(set(_cgroups()) - self._cgroups, reverse=True):
            with contextlib.suppress(OSError):  # not empty: of another runtime that runs still
                cgroup.rmdir()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.socket)) == 0

    def _environ(self) -> dict[str, str]:
        return {**os.environ, "PATH": _PATH}

    def _log(self) -> str:
        log = self.directory / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""


class Containerd(Runtime):
    """containerd with its CRI, and `ctr`."""

    path = "/run/containerd/containerd.sock"

    def command(self) -> list[str]:
        config = self.directory / "config.toml"
        config.write_text(
            "version = 2\n"
            '[plugins."io.containerd.grpc.v1.cri"]\n'
            f'sandbox_image = "{oci_image.NAME}"\n'
            "restrict_oom_score_adj = true\n"
            '[plugins."io.containerd.grpc.v1.cri".containerd]\n'
            'snapshotter = "native"\n'
            f'[plugins."io.containerd.internal.v1.opt"]\npath = "{self.directory}/opt"\n'
        )
        return [
            "containerd", "--config", str(config), "--root", str(self.directory / "data"),
            "--state", str(self.directory / "state"), "--address", str(self.socket),
        ]  # fmt: skip

    def ctr(self, *arguments: str, namespace: str = "default", check: bool = True) -> str:
        return self.run("ctr", "--address", str(self.socket), "--namespace", namespace, *arguments, check=check)

    def load(self, image: Path) -> None:
        for namespace in ("default", "k8s.io"):
            self.ctr("images", "import", "--snapshotter", "native", str(image), namespace=namespace)

    def start_container(self, name: str, *command: str, options: tuple[str, ...] = ()) -> None:
        self.ctr("run", "--detach", "--snapshotter", "native", *options, oci_image.NAME, name, *command)

    def remove(self, name: str) -> None:
        self.ctr("task", "kill", "--signal", "SIGKILL", name, check=False)
        _wait(lambda: name not in self.ctr("task", "ls") or " STOPPED" in self.ctr("task", "ls"), f"{name} runs on")
        self.ctr("task", "delete", name, check=False)
        self.ctr("container", "delete", name)


class Docker(Runtime):
    """dockerd on a containerd of ours, without a bridge and without firewall rules."""

    path = "/run/docker.sock"

    def __init__(self, directory: Path, containerd: Containerd) -> None:
        super().__init__(directory)
        self._containerd = containerd

    def command(self) -> list[str]:
        return [
            "dockerd", "--containerd", str(self._containerd.socket), "--data-root", str(self.directory / "data"),
            "--exec-root", str(self.directory / "exec"), "--pidfile", str(self.directory / "pid"),
            "--host", f"unix://{self.socket}", "--storage-driver", "vfs", "--iptables=false", "--ip6tables=false",
            "--bridge=none", "--live-restore",
        ]  # fmt: skip

    def docker(self, *arguments: str, check: bool = True) -> str:
        return self.run("docker", "--host", f"unix://{self.socket}", *arguments, check=check)

    def start_container(self, name: str, *command: str, options: tuple[str, ...] = ()) -> str:
        arguments = ("--detach", "--network=none", "--name", name, *options)
        return self.docker("run", *arguments, oci_image.NAME, *command).strip()


class Podman(Runtime):
    """Podman's service; containers belong to their conmon and need none."""

    path = "/run/podman/podman.sock"

    def _base(self) -> list[str]:
        return [
            "podman", "--root", str(self.directory / "data"), "--runroot", str(self.directory / "run"),
            "--tmpdir", str(self.directory / "tmp"), "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
            "--events-backend", "file", "--runtime", "runc",
        ]  # fmt: skip

    def command(self) -> list[str]:
        return [*self._base(), "system", "service", "--time", "0", f"unix://{self.socket}"]

    def podman(self, *arguments: str, check: bool = True) -> str:
        return self.run(*self._base(), *arguments, check=check)

    def start_container(self, name: str, *command: str, options: tuple[str, ...] = ()) -> str:
        arguments = ("--detach", "--network=none", *_LIMITS, "--name", name, *options)
        return self.podman("run", *arguments, oci_image.NAME, *command).strip()


def _cgroups() -> Iterator[Path]:
    """Where these runtimes put their containers: they leave the directories."""
    found = find_hierarchies(Roots())
    for base in filter(None, dict.fromkeys([*found.legacy.values(), found.unified])):
        for name in _CGROUPS:
            top = Path(base, name)
            if top.exists():
                yield top
                yield from (path for path in top.rglob("*") if path.is_dir())


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """A short one: socket paths end at 107 bytes."""
    yield Path(tempfile.mkdtemp(prefix="rt-", dir="/tmp"))


def lacks() -> str:
    """Why no container runs here, "" where one does: runc is asked to run one."""
    with tempfile.TemporaryDirectory(prefix="rt-") as name:
        rootfs = Path(name, "rootfs/bin")
        rootfs.mkdir(parents=True)
        shutil.copy("/bin/busybox", rootfs / "true")
        environ = {**os.environ, "PATH": _PATH}
        subprocess.run(["runc", "spec"], cwd=name, env=environ, check=True)
        spec = json.loads(Path(name, "config.json").read_text())
        spec["process"] |= {"args": ["/bin/true"], "terminal": False}
        Path(name, "config.json").write_text(json.dumps(spec))
        command = ["runc", "--root", f"{name}/state", "run", f"hwinfod-probe-{os.getpid()}"]
        done = subprocess.run(
            command, cwd=name, env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )  # fmt: skip
        return "" if done.returncode == 0 else f"a kernel that lets root run containers ({done.stderr.strip()[-120:]})"


def _wait(reached: object, what: str) -> None:
    end = time.monotonic() + _SECONDS
    while not reached():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.05)
