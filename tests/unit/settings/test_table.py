# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from hwinfod.settings import Boolean, Setting, Table, Text


def text(key: str, flag: str = "") -> Setting[str]:
    return Setting(key, Text(), "", "What.", flag=flag)


def test_settings_are_found_by_path_flag_and_variable() -> None:
    setting = text("web.host_name")
    table = Table([setting])
    assert table.by_path["web", "host_name"] is setting
    assert table.by_flag["--web.host-name"] is setting
    assert table.by_environment["HWINFOD_WEB_HOST_NAME"] is setting
    assert table.sections == {(), ("web",)}
    assert list(table) == [setting]
    assert len(table) == 1


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (text("a.b"), text("a.b"), "--a.b"),
        (text("a.b"), text("c", flag="--a.b"), "--a.b"),
        (text("a.b"), text("a_b"), "HWINFOD_A_B"),
        (text("a", flag="--x"), text("a", flag="--y"), "HWINFOD_A"),
        (Setting("x", Boolean(), True, "Whether."), text("y", flag="--no-x"), "--no-x"),
    ],
)
def test_a_shared_name_is_a_defect(one: Setting[object], other: Setting[object], shared: str) -> None:
    with pytest.raises(ValueError, match=f"settings {one.key} and {other.key} share {shared}"):
        Table([one, other])


@pytest.mark.parametrize("flag", ["--help", "-h", "--version", "--config", "--check-config", "--print-config"])
def test_the_flags_of_actions_are_taken(flag: str) -> None:
    with pytest.raises(ValueError, match=f"flag {flag} is taken"):
        Table([text("a", flag=flag)])


@pytest.mark.parametrize("keys", [("a.b", "a"), ("a", "a.b")])
def test_a_key_cannot_be_a_section(keys: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="setting a is a section of another setting"):
        Table(map(text, keys))


def test_sections_in_the_order_of_a_file() -> None:
    keys = ["web.a", "collector.b.x", "top", "collector.a.x", "api.a", "web.b"]
    groups = Table(map(text, keys)).by_section()
    assert [(name, [setting.key for setting in group]) for name, group in groups] == [
        ("", ["top"]),
        ("web", ["web.a", "web.b"]),
        ("api", ["api.a"]),
        ("collector.a", ["collector.a.x"]),
        ("collector.b", ["collector.b.x"]),
    ]


def test_a_setting_that_two_collectors_share_is_in_the_table_once() -> None:
    shared = Setting("nvidia.library_roots", Boolean(), False, "Shared.")
    assert list(Table([shared, shared])) == [shared]
