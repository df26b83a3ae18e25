# SPDX-License-Identifier: MIT
"""What the command line can ask for instead of a run: pure functions that return the text to print."""

from __future__ import annotations

from collections.abc import Mapping

from hwinfod._version import VERSION
from hwinfod.settings.command import Command
from hwinfod.settings.files import PLACES, Places
from hwinfod.settings.load import load
from hwinfod.settings.result import Settings
from hwinfod.settings.table import Table


def perform(
    command: Command,
    table: Table,
    environ: Mapping[str, str],
    *,
    uid: int | None = None,
    places: Places = PLACES,
) -> str:
    """The answer to any action but run. Raises SettingsError; for check-config unknown keys are errors, too."""
    if command.action == "version":
        return f"hwinfod {VERSION}\n"
    if command.action == "help":
        from hwinfod.settings.help import help_text

        return help_text(table)
    strict = command.action == "check-config"
    settings = load(table, command, environ, uid=uid, places=places, strict=strict)
    if strict:
        return _verdict(settings)
    from hwinfod.settings.document import print_config

    return print_config(settings)


def _verdict(settings: Settings) -> str:
    """Which files were read, so that nobody believes in one that was not."""
    counts = dict.fromkeys(settings.files, 0)
    others = 0
    for setting in settings.table:
        origin = settings.origin(setting)
        if origin.source == "file":
            counts[origin.name] += 1
        elif origin.source != "default":
            others += 1
    lines = [f"{path}: {count} in force" for path, count in counts.items()]
    lines += [f"environment and flags: {others} in force"] if others else []
    return "\n".join([*lines, "The configuration is valid.\n"])
