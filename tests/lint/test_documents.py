# SPDX-License-Identifier: MIT
"""What the documents say holds: links lead somewhere, targets exist, the example configuration is accepted."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hwinfod.core.catalog import catalog_of
from hwinfod.engine import Declared, discover
from hwinfod.settings import SETTINGS
from tests.lint.project import ROOT, files, read
from tests.support.documents import broken_links

DOCUMENTS = [name for name in files() if name.endswith(".md")]
_TARGET = re.compile(r"^make ([a-z-]+)|`make ([a-z-]+)`", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_SECTIONS = sorted({setting.key.partition(".")[0] for setting in SETTINGS if "." in setting.key} | {"collector"})
_NAME = re.compile(rf"(hw(?:infod)?_[a-z0-9_]+\*?|(?:{'|'.join(_SECTIONS)})\.[a-z_.]+)(?: = .*|=.*)?$")
_RULE = re.compile(r"^([a-z-]+):.*##", re.MULTILINE)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    assert broken_links(ROOT / name, read(name)) == []


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


def test_the_readme_has_every_collector() -> None:
    table = read("README.md").partition("| collector |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines() for name in _CODE.findall(row.split("|")[1] if "|" in row else "")}
    assert named == {collector.name for collector in discover()}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_metrics_and_settings_exist(name: str) -> None:
    assert _unknown_names(read(name)) == []


def _unknown_names(text: str) -> list[str]:
    """Metrics and settings that a text has in backticks, with a value or a star behind them or not."""
    kinds = discover()
    declared = [setting for kind in kinds for setting in Declared.of(kind).settings()]
    known = {*catalog_of(kinds), *(setting.key for setting in (*SETTINGS, *declared))}
    named = {match[1] for word in _CODE.findall(text) if (match := _NAME.match(word))}
    return sorted(name for name in named if name not in known and not fnmatch.filter(known, name))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_are_known_to_the_oldest_systemd(name: str) -> None:
    """RHEL 8 has 239; `systemctl show -P` came with 246."""
    assert "systemctl show -P" not in read(name)


def test_a_broken_link_and_a_made_up_target_are_seen() -> None:
    links = "[x](docs/nonesuch.md) [y](LICENSE) [z](https://example.org)"
    assert broken_links(ROOT / "README.md", links) == ["docs/nonesuch.md"]
    assert _targets("make bench   # costs\nand `make soup`") == {"bench", "soup"}
    assert _unknown_names("`hw_load1`, `hw_load*`, `hw_lode*` and `web.listen_adress = []`, `hwinfod --help`") == [
        "hw_lode*", "web.listen_adress",
    ]  # fmt: skip


def _targets(text: str) -> set[str]:
    return {first or second for first, second in _TARGET.findall(text)}
