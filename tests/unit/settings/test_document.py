# SPDX-License-Identifier: MIT
"""The commented example, and the print of what is in force: both are TOML that loads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from hwinfod.settings import Setting, Settings, Table
from hwinfod.settings.daemon import RING_BYTES, SOCKET, WEB_LISTEN_ADDRESS
from hwinfod.settings.document import example_text, print_config
from hwinfod.settings.files import parse_config_file
from hwinfod.settings.place import Address
from hwinfod.settings.toml import toml_text

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Etc


def test_the_example_as_shipped_changes_nothing(etc: Etc) -> None:
    path = etc.main(example_text(etc.table))
    settings = etc.load(strict=True)
    assert settings.files == (path,)
    assert {settings.origin(setting).source for setting in etc.table} == {"default"}


def test_every_line_of_the_example_uncommented_gives_the_defaults(etc: Etc) -> None:
    text = re.sub(r"^#(?=\S)", "", example_text(etc.table), flags=re.MULTILINE)
    path = etc.main(text)
    settings = etc.load(strict=True)
    for setting in etc.table:
        assert settings[setting] == setting.default, setting.key
        origin = settings.origin(setting)
        assert origin.name == path
        assert text.split("\n")[origin.line - 1] == f"{setting.path[-1]} = {setting.default_text}"


def test_the_example_fits_a_page_and_explains_each_setting(table: Table) -> None:
    text = example_text(table)
    assert max(map(len, text.split("\n"))) <= 110
    assert all(line == line.rstrip() for line in text.split("\n"))
    plain = " ".join(text.replace("\n#", " ").split())
    for setting in table:
        assert setting.help in plain, setting.key


def test_what_is_printed_is_what_is_in_force(etc: Etc) -> None:
    etc.main('[web]\nlisten_address = ["[::1]:7", ":8"]\n[collector.filesystem]\nexclude = ["a\\"b\\\\", "é"]\n')
    before = etc.load("--ring.bytes=1.5G", "--no-collector.cpu", uid=7, environ={"HOME": "/home/x y"})
    etc.main(print_config(before))
    after = etc.load(strict=True)
    for setting in etc.table:
        assert after[setting] == before[setting], setting.key


def test_each_value_is_printed_with_its_origin(etc: Etc) -> None:
    path = etc.main('[web]\nlisten_address = ["[::1]:7"]\n')
    settings = etc.load("--ring.bytes=8MiB", environ={"HWINFOD_RING_DURATION": "2h"})
    lines = [re.sub(" +", " ", line) for line in print_config(settings).split("\n")]
    assert 'socket = "/run/hwinfod/hwinfod.sock" # default' in lines
    assert f'listen_address = ["[::1]:7"] # {path}:2' in lines
    assert 'bytes = "8MiB" # flag --ring.bytes' in lines
    assert 'duration = "2h" # environment HWINFOD_RING_DURATION' in lines


def test_a_secret_is_not_printed_and_ignored_keys_are(etc: Etc, token: Setting[str]) -> None:
    path = etc.main('[api]\ntoken = "hunter2"\ntokn = 1\n')
    text = print_config(etc.load())
    assert "hunter2" not in text
    assert re.search(rf"^# token is hidden +# {re.escape(path)}:2$", text, flags=re.MULTILINE)
    assert f"# ignored: {path}:3: api.tokn: unknown setting; did you mean api.token?" in text.split("\n")
    assert token.key == "api.token"


@given(st.text())
def test_any_text_is_written_as_toml(text: str) -> None:
    text = text.encode(errors="replace").decode()
    assert parse_config_file("x", f"a = {toml_text(text)}".encode()).content == {"a": text}


@given(st.lists(st.integers() | st.floats(allow_nan=False) | st.booleans()))
def test_any_list_is_written_as_toml(items: list[int | float | bool]) -> None:
    items = [item for item in items if abs(item) < 1e300]
    content = parse_config_file("x", f"a = {toml_text(items)}".encode()).content
    assert repr(content["a"]) == repr(items)


def test_settings_of_a_program_print_as_well(table: Table) -> None:
    settings = Settings.of(table, {RING_BYTES: 8 << 20, WEB_LISTEN_ADDRESS: (Address("", 1),)})
    assert re.search(r'^bytes = "8MiB" +# program$', print_config(settings), flags=re.MULTILINE)
    assert settings[SOCKET] == SOCKET.default
