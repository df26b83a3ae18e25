# SPDX-License-Identifier: MIT
"""The linters that others wrote, run as tests: one command checks everything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.lint.project import ROOT, files, read, written_by_hand


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", "--no-fix", "--output-format=concise", "."], id="ruff-check"),
        pytest.param(["ruff", "format", "--check", "."], id="ruff-format"),
        pytest.param(["mypy", "hwinfod"], id="mypy"),
    ],
)
def test_linter_is_content(command: list[str]) -> None:
    _run([sys.executable, "-m", *command])


def test_words_are_spelt() -> None:
    """Unit tests apart: their samples are misspelt on purpose, and cut short."""
    names = [name for name in written_by_hand() if not name.startswith("tests/unit/")]
    _run([sys.executable, "-m", "codespell_lib", "--", *names])


@pytest.mark.tier("shell")
def test_shell_scripts_are_sound() -> None:
    scripts = [name for name in files() if name.endswith(".sh") or _is_shell(read(name))]
    assert ".ci/run" in scripts, "no scripts found: the linter would pass by absence"
    _run(["shellcheck", *scripts])


def _is_shell(text: str) -> bool:
    first = text.partition("\n")[0]
    return first.startswith("#!") and first.endswith(("/sh", "/bash", " bash", " sh"))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, f"{' '.join(command[:4])} says:\n{done.stdout}"
