# SPDX-License-Identifier: MIT
"""The files of this repository, as the linters see them."""

from __future__ import annotations

import ast
import functools
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

# What a machine or a tool wrote: recorded inputs, kept outputs, lock files.
RECORDED = ("fixtures", "data", "golden")


@dataclass(frozen=True)
class Module:
    """One Python file: its dotted name, its path below the root, its text."""

    name: str
    path: str
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)


@functools.cache
def files() -> tuple[str, ...]:
    """Every file that is or will be in git, below the root; nothing that .gitignore names.

    The directory may belong to someone else (a container's mount): git is told that it is trusted.
    """
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    names = set(done.stdout.split("\0")) - {""}
    return tuple(sorted(name for name in names if (ROOT / name).is_file() and not (ROOT / name).is_symlink()))


def written_by_hand() -> tuple[str, ...]:
    """The files that a person wrote."""
    return tuple(name for name in files() if not _is_recorded(name))


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8", "replace")


@functools.cache
def modules(package: str = "hwinfod") -> tuple[Module, ...]:
    """The Python modules of one package."""
    paths = [name for name in files() if name.startswith(f"{package}/") and name.endswith(".py")]
    return tuple(Module(module_name(path), path, read(path)) for path in paths)


def module_name(path: str) -> str:
    """hwinfod/core/metric.py is hwinfod.core.metric; a package is called by its directory."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _is_recorded(name: str) -> bool:
    parts = name.split("/")
    if name.endswith(".py"):
        return False
    if parts[-1].startswith("requirements") and parts[-1].endswith(".txt"):
        return True
    return parts[0] in ("tests", "bench") and any(part in RECORDED for part in parts[1:-1])
