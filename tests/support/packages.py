# SPDX-License-Identifier: MIT
"""The packages as tests have them: built once for all of them, unpacked, described."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
ARCHITECTURES = ("amd64", "arm64")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
    return done.stdout


def build(kind: str, to: Path, architectures: Sequence[str] = ARCHITECTURES, *, tree: Path = ROOT) -> dict[str, Path]:
    """The packages of one kind ("deb" or "rpm"), by architecture as Debian calls it."""
    run(tree / f"packaging/build-{kind}.sh", sys.executable, to, *architectures)
    names = {a: a if kind == "deb" else MACHINES[a] for a in architectures}
    return {architecture: _only(to, f"*{name}.{kind}") for architecture, name in names.items()}


def unpack(package: Path, to: Path) -> Path:
    """What the package installs, and returns where. Nothing of it is run."""
    to.mkdir(parents=True)
    if package.suffix == ".deb":
        run("dpkg-deb", "-x", package, to)
    else:
        run("sh", "-c", 'rpm2cpio "$0" | cpio --quiet -id', package, cwd=to)
    return to


def other_release(to: Path, version: str) -> Path:
    """A tree from which packages of another version are built."""
    names = "hwinfod systemd man etc completions docs packaging LICENSE requirements.txt".split()
    for name in (*names, *(path.name for path in ROOT.glob("*.md"))):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        to.mkdir(exist_ok=True)
        copy(ROOT / name, to / name)
    said = to / "hwinfod/_version.py"
    lines = said.read_text().splitlines(keepends=True)
    said.write_text("".join(f'VERSION = "{version}"\n' if line.startswith("VERSION") else line for line in lines))
    return to


def files(content: Path) -> set[str]:
    """Paths of all that is no directory, below `content`."""
    return {str(path.relative_to(content)) for path in content.rglob("*") if path.is_symlink() or not path.is_dir()}


def rpm_needs(package: Path) -> str:
    """What a distribution's other packages would provide. Python apart, whose package is one of its own."""
    lines = run("rpm", "-qpR", package).splitlines()
    return ", ".join(
        sorted({line.partition(" ")[0] for line in lines if not line.startswith(("(", "rpmlib(", "config("))})
    )


def stub_rpm(to: Path, name: str, version: str, provides: str = "stub") -> Path:
    """A package with nothing in it, which stands for one of the distribution."""
    spec = to / f"{name}-{version}.spec"
    lines = [f"Name: {name}", f"Version: {version}", "Release: 1", "Summary: a stand-in", "License: MIT"]
    lines += ["BuildArch: noarch", f"Provides: {provides}", "%description", "A stand-in.", "%files"]
    spec.write_text("".join(f"{line}\n" for line in lines))
    run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {to}", "--define", f"_rpmdir {to}", spec)
    return to / f"noarch/{name}-{version}-1.noarch.rpm"


class Seen:
    """What a script in a guest left: of each step its output, and on the last line its exit status."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, name: str) -> str:
        """The output of a step that must have succeeded."""
        text, status = self.both(name)
        assert status == 0, f"{name}: {text}"
        return text

    def both(self, name: str) -> tuple[str, int]:
        *lines, status = (self._directory / name).read_text().splitlines()
        return "\n".join(lines), int(status)


def _only(directory: Path, pattern: str) -> Path:
    (found,) = directory.glob(pattern)
    return found
