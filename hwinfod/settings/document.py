# SPDX-License-Identifier: MIT
"""TOML files made from the table: the commented example, and the settings in force with their origins."""

from __future__ import annotations

import textwrap

from hwinfod._version import VERSION
from hwinfod.settings.result import HIDDEN, Settings, shown
from hwinfod.settings.setting import Setting
from hwinfod.settings.table import Table
from hwinfod.settings.toml import toml_text

_EXAMPLE_HEAD = """\
# Configuration of hwinfod; see hwinfod.toml(5). Every setting is here with its default, commented out.
#
# Read in this order, the later wins: /usr/lib/hwinfod/conf.d/*.toml, this file, /etc/hwinfod/conf.d/*.toml,
# environment variables, flags. Check with `hwinfod --check-config`, see what is in force and where it comes
# from with `hwinfod --print-config`, apply with `systemctl reload hwinfod` what is marked (reload) and with
# `systemctl restart hwinfod` everything.
"""


def example_text(table: Table) -> str:
    """etc/hwinfod.toml. Each line that starts with # and no space is a setting at its default."""
    parts = [_EXAMPLE_HEAD]
    for section, settings in table.by_section():
        lines = [f"# {table.titles[section]}"] if section in table.titles else []
        lines += [f"[{section}]"] if section else []
        for setting in settings:
            lines += ["", *_comment(setting), f"#{_name(setting)} = {setting.default_text}"]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _comment(setting: Setting[object]) -> list[str]:
    notes = f" One of {', '.join(setting.form.choices)}." if setting.form.choices else ""
    notes += " (reload)" if setting.reload else ""
    text = f"{setting.help}{notes}"
    return textwrap.wrap(text, 100, initial_indent="# ", subsequent_indent="# ")


def print_config(settings: Settings) -> str:
    """Every setting in force as TOML that can be read again, each with its origin in a comment."""
    parts = [f"# hwinfod {VERSION}: the settings in force, and where each comes from.\n"]
    for section, group in settings.table.by_section():
        lines = [(_line(settings, setting), str(settings.origin(setting))) for setting in group]
        width = min(48, max(len(line) for line, _ in lines))
        head = f"[{section}]\n" if section else ""
        parts.append(head + "".join(f"{line:{width}}  # {origin}\n" for line, origin in lines))
    if settings.warnings:
        parts.append("".join(f"# ignored: {problem}\n" for problem in settings.warnings))
    return "\n".join(parts)


def _line(settings: Settings, setting: Setting[object]) -> str:
    value = shown(settings, setting)
    if setting.secret and value == HIDDEN:
        return f"# {_name(setting)} is hidden"
    return f"{_name(setting)} = {toml_text(value)}"


def _name(setting: Setting[object]) -> str:
    return setting.path[-1]
