# SPDX-License-Identifier: MIT
"""One source, two architectures, two formats: the same files in all four packages, and the arm64 one runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod._version import VERSION
from tests.support.documents import broken_links
from tests.support.notify import NotifySocket
from tests.support.packages import ARCHITECTURES, ROOT, files, run
from tests.support.processes import Program, clean_environ, running

MACHINE_NUMBERS = {"amd64": 62, "arm64": 183}  # EM_X86_64, EM_AARCH64: linux/elf-em.h
_LIBRARY = "usr/lib/hwinfod"
_SYMBOL = re.compile(rb"\0GLIBC_(\d+)\.(\d+)(?=[.\0])")

pytestmark = [pytest.mark.tier("deb", "rpm"), pytest.mark.timeout(600)]

Contents = dict[tuple[str, str], Path]


@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_both_architectures_have_the_same_files(contents: Contents, kind: str) -> None:
    amd64, arm64 = contents[kind, "amd64"], contents[kind, "arm64"]
    assert files(amd64) == files(arm64)
    compressed = {name for name in files(amd64) if name.endswith(".gz")}
    differ = {name for name in files(amd64) - compressed if _bytes(amd64, name) != _bytes(arm64, name)}
    assert {name.partition(".")[2] for name in differ} <= {"abi3.so", "cdx.json"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_both_formats_carry_the_same_library(contents: Contents, architecture: str) -> None:
    deb, rpm = contents["deb", architecture] / _LIBRARY, contents["rpm", architecture] / _LIBRARY
    assert files(deb) == files(rpm)
    assert {name for name in files(deb) if _bytes(deb, name) != _bytes(rpm, name)} == set()


# Where distributions differ, and what is one format's alone.
RPM_PLACES = {
    "lib/systemd/": "usr/lib/systemd/",
    "usr/share/zsh/vendor-completions/": "usr/share/zsh/site-functions/",
    "usr/share/doc/hwinfod/licenses/": "usr/share/licenses/hwinfod/",
}
OF_DEB = {f"usr/share/doc/hwinfod/{name}" for name in ("changelog.Debian", "copyright")}
OF_DEB |= {"usr/share/lintian/overrides/hwinfod", "usr/share/python3/runtime.d/hwinfod.rtupdate"}
OF_RPM = {"usr/libexec/hwinfod/compile", "usr/libexec/hwinfod/python", "usr/share/licenses/hwinfod/hwinfod/LICENSE"}


def test_both_formats_install_the_same(contents: Contents) -> None:
    deb = {name.removesuffix(".gz") for name in files(contents["deb", "amd64"])}
    rpm = {name.removesuffix(".gz") for name in files(contents["rpm", "amd64"])}
    for place, rpm_place in RPM_PLACES.items():
        deb = {rpm_place + name.removeprefix(place) if name.startswith(place) else name for name in deb}
    assert deb >= OF_DEB
    assert deb - OF_DEB == rpm - OF_RPM
    assert rpm >= OF_RPM


@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_links_of_packaged_documents_lead_somewhere(contents: Contents, kind: str) -> None:
    documents = contents[kind, "amd64"] / "usr/share/doc/hwinfod"
    pages = list(documents.rglob("*.md"))
    assert documents / "docs/upgrade.md" in pages
    assert {str(page): broken for page in pages if (broken := broken_links(page, page.read_text()))} == {}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_extensions_are_of_their_architecture_and_of_an_old_c_library(contents: Contents, architecture: str) -> None:
    depends = re.search(r"libc6 \(>= (\d+)\.(\d+)\)", (ROOT / "packaging/debian/control").read_text())
    assert depends
    extensions = list((contents["deb", architecture] / _LIBRARY).rglob("*.so"))
    assert {path.name for path in extensions} == {"_bcrypt.abi3.so", "_psutil_linux.abi3.so"}
    for path in extensions:
        elf = path.read_bytes()
        assert int.from_bytes(elf[18:20], "little") == MACHINE_NUMBERS[architecture]
        needed = {(int(major), int(minor)) for major, minor in _SYMBOL.findall(elf)}
        assert needed
        assert max(needed) <= (int(depends[1]), int(depends[2]))


def _bytes(directory: Path, name: str) -> bytes:
    return (directory / name).read_bytes()


class Arm64:
    """A root with Debian's Python for arm64, never booted nor configured, and the package's files in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._python = ["chroot", str(root), "/usr/bin/qemu-aarch64-static", "/usr/bin/python3.11", "-IS"]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self._python, *arguments], capture_output=True, text=True, check=False)

    def daemon(self, notified: str) -> Program:
        mounts = f"mount -t proc proc {self.root}/proc && mount --rbind /sys {self.root}/sys"
        command = ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh", *self._python, "/usr/sbin/hwinfod"]
        return Program(command, environ=clean_environ(NOTIFY_SOCKET=notified))


@pytest.fixture(scope="module")
def arm64(contents: Contents, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arm64]:
    root = tmp_path_factory.mktemp("a") / "root"
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=extract",
        "--architectures=arm64",
        "--include=python3-minimal,python3",
    ]
    try:
        run(*command, "bookworm", root)
        run("cp", "-a", f"{contents['deb', 'arm64']}/usr/.", root / "usr")
        shutil.copy("/usr/bin/qemu-aarch64-static", root / "usr/bin")
        for name in ("proc", "sys", "run/hwinfod"):
            (root / name).mkdir(parents=True)
        yield Arm64(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.mark.tier("arm64", "netns")
def test_every_module_loads_on_arm64(arm64: Arm64) -> None:
    modules = (
        "platform, psutil, bcrypt, grpclib.client, pyroute2, ruamel.yaml, prometheus_client, pynvml, h11, sdnotify"
    )
    done = arm64.run(
        "-c", f"import sys; sys.path.insert(0, '/{_LIBRARY}'); import {modules}; print(platform.machine())"
    )
    assert (done.stdout, done.stderr) == ("aarch64\n", "")


@pytest.mark.tier("arm64", "netns")
def test_the_daemon_runs_on_arm64(arm64: Arm64) -> None:
    notified = NotifySocket(str(arm64.root / "run/notify"))
    with running(arm64.daemon("/run/notify")) as daemon:
        daemon.wait_until(lambda: notified.has("READY", "1"), "READY")
        status = json.loads(arm64.run("/usr/bin/hwinfoctl", "status", "--json").stdout)
        assert status["version"] == VERSION
        assert daemon.stop() == 0
    notified.close()
