# SPDX-License-Identifier: MIT
"""What the documents say holds: links lead somewhere, targets exist, the example configuration is accepted."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lint.project import ROOT, files, read

DOCUMENTS = [name for name in files() if name.endswith(".md")]
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
_TARGET = re.compile(r"^make ([a-z-]+)|`make ([a-z-]+)`", re.MULTILINE)
_RULE = re.compile(r"^([a-z-]+):.*##", re.MULTILINE)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    assert list(_broken_links(name, read(name))) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_make_targets_exist(name: str) -> None:
    assert _targets(read(name)) - set(_RULE.findall(read("Makefile"))) == set()


def test_the_example_configuration_is_accepted(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", read("README.md"), re.DOTALL)
    assert blocks
    for block in blocks:
        file = tmp_path / "hwinfod.toml"
        (tmp_path / "web.yml").touch()
        file.write_text(block.replace("/etc/hwinfod/web.yml", f"{tmp_path}/web.yml"))
        command = [sys.executable, "-m", "hwinfod", "--config", str(file), "--check-config"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_broken_link_and_a_made_up_target_are_seen() -> None:
    assert list(_broken_links("README.md", "[x](docs/nonesuch.md) [y](LICENSE) [z](https://example.org)"))
    assert _targets("make bench   # costs\nand `make soup`") == {"bench", "soup"}


def _broken_links(name: str, text: str) -> Iterator[str]:
    for link in _LINK.findall(text):
        if not (ROOT / name).parent.joinpath(link).exists():
            yield f"{name}: {link}"


def _targets(text: str) -> set[str]:
    return {first or second for first, second in _TARGET.findall(text)}
