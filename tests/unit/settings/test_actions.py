# SPDX-License-Identifier: MIT
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hwinfod._version import VERSION
from hwinfod.settings import SettingsError, parse_command_line, perform
from hwinfod.settings.document import print_config
from hwinfod.settings.help import help_text

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Etc


def answer(etc: Etc, *argv: str, environ: dict[str, str] | None = None) -> str:
    command = parse_command_line(etc.table, argv)
    return perform(command, etc.table, environ or {}, uid=0, places=etc.places)


def test_version_and_help_need_no_valid_configuration(etc: Etc) -> None:
    etc.main("broken")
    assert answer(etc, "--version") == f"hwinfod {VERSION}\n"
    assert answer(etc, "--help") == help_text(etc.table)


def test_print_config(etc: Etc) -> None:
    etc.main("zzz = 1\n")
    assert answer(etc, "--print-config", "--log-level=debug") == print_config(etc.load("--log-level=debug"))


def test_check_config_names_the_files_that_count(etc: Etc) -> None:
    main = etc.main('log_level = "debug"\n[ring]\nbytes = "8MiB"\n')
    drop_in = etc.write("etc/conf.d/x.toml", 'log_level = "info"\n')
    assert answer(etc, "--check-config", "--api.privacy=open") == (
        f"{main}: 1 in force\n{drop_in}: 1 in force\nenvironment and flags: 1 in force\nThe configuration is valid.\n"
    )


def test_check_config_of_nothing(etc: Etc) -> None:
    assert answer(etc, "--check-config") == "The configuration is valid.\n"


def test_check_config_takes_an_unknown_key_for_an_error(etc: Etc) -> None:
    path = etc.main("loglevel = 1\n")
    with pytest.raises(SettingsError, match=f"{path}:1: loglevel: unknown setting; did you mean log_level"):
        answer(etc, "--check-config")
