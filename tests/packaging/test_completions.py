# SPDX-License-Identifier: MIT
"""Completions of hwinfoctl: each shell can read its own, and bash offers what the program takes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hwinfod.ctl.__main__ import COMMANDS

COMPLETIONS = Path(__file__).parents[2] / "completions"
_ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_hwinfoctl hwinfoctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def _offered(*words: str) -> list[str]:
    command = ["bash", "-c", _ASK, "bash", str(COMPLETIONS / "hwinfoctl.bash"), "hwinfoctl", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_bash_offers_every_command() -> None:
    assert set(COMMANDS) <= set(_offered(""))
    assert _offered("ev") == ["events"]


def test_bash_knows_the_options_of_the_command_in_use() -> None:
    assert _offered("--json", "events", "--sev") == ["--severity"]
    assert _offered("events", "--severity", "w") == ["warning"]
    assert _offered("status", "--sev") == []
    assert _offered("inventory", "a") == ["accept"]


@pytest.mark.tier("completions")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_its_shell_can_read_it(shell: str, tmp_path: Path) -> None:
    def read(path: Path) -> int:
        return subprocess.run([shell, "-n", str(path)], capture_output=True, check=False).returncode

    text = (COMPLETIONS / f"hwinfoctl.{shell}").read_text()
    broken = tmp_path / "broken"
    broken.write_text(text + "\nif (\n'")
    assert read(COMPLETIONS / f"hwinfoctl.{shell}") == 0
    assert read(broken) != 0
