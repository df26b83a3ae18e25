# SPDX-License-Identifier: MIT
"""Runs a program of checks in a guest, beside the daemon: one boot, many tests."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.vm import vm

HERE = Path(__file__).resolve().parent
_ROOT = HERE.parent.parent
_LIMIT_SECONDS = 600


def checks_of(program: Path) -> list[str]:
    """The checks of a program that runs in the guest, by the names of its functions `check_NAME`, in order."""
    names = [node.name for node in ast.parse(program.read_text()).body if isinstance(node, ast.FunctionDef)]
    return [name.removeprefix("check_") for name in names if name.startswith("check_")]


def run_checks(
    program: Path,
    files: Mapping[str, Path],
    *,
    suite: str = "bookworm",
    prepare: str = ":",
    qemu: Sequence[str] = (),
    limit_seconds: float = _LIMIT_SECONDS,
) -> dict[str, str]:
    """What each check found: "" or a traceback. Raises AssertionError where the program came to no end."""
    own = {
        "hwinfod": _ROOT / "hwinfod",
        "unix_http.py": _ROOT / "tests/support/unix_http.py",
        "in_guest.py": HERE / "in_guest.py",
        "program.py": program,
    }
    script = f"{prepare} && PYTHONPATH=$IN exec python3 program.py"
    result = vm.run(script, {**own, **files}, suite=suite, limit_seconds=limit_seconds, qemu=qemu).check()
    print(result.log)
    found: dict[str, str] = result.json("report.json")
    return found
