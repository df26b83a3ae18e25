# SPDX-License-Identifier: MIT
"""The table as the daemon has it, with the settings of every collector."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hwinfod.engine import Declared, discover
from hwinfod.settings import SETTINGS, TITLES, Command, Places, Table, load
from hwinfod.settings.document import example_text, print_config
from hwinfod.settings.help import help_text


@pytest.fixture(scope="module")
def whole() -> Table:
    declared = [Declared.of(kind) for kind in discover()]
    return Table([*SETTINGS, *(setting for item in declared for setting in item.settings())], TITLES)


def test_every_collector_has_a_switch(whole: Table) -> None:
    for kind in discover():
        flag = kind.name.replace("_", "-")
        assert {f"--collector.{flag}", f"--no-collector.{flag}"} <= whole.by_flag.keys()


def test_every_default_survives_example_and_print(whole: Table, tmp_path: Path) -> None:
    file = tmp_path / "hwinfod.toml"
    nowhere = Places(str(tmp_path / "a"), str(file), str(tmp_path / "b"))
    file.write_text(re.sub(r"^#(?=\S)", "", example_text(whole), flags=re.MULTILINE))
    settings = load(whole, Command(), {}, uid=0, places=nowhere, strict=True)
    assert {setting.key: settings[setting] for setting in whole} == {setting.key: setting.default for setting in whole}
    assert {settings.origin(setting).source for setting in whole} == {"file"}
    file.write_text(print_config(settings))
    again = load(whole, Command(), {}, uid=0, places=nowhere, strict=True)
    assert all(again[setting] == settings[setting] for setting in whole)


def test_help_fits_a_terminal(whole: Table) -> None:
    assert max(map(len, help_text(whole).split("\n"))) <= 80
