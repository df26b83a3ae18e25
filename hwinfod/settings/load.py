# SPDX-License-Identifier: MIT
"""Merging the layers: defaults, files, environment, flags; the later wins, and every mistake is told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hwinfod.settings.command import Command
from hwinfod.settings.files import PLACES, ConfigFile, Places, find_files, read_config_file
from hwinfod.settings.lines import key_lines, line_of
from hwinfod.settings.problem import Origin, Problem, SettingsError, did_you_mean
from hwinfod.settings.result import Settings
from hwinfod.settings.setting import PREFIX, Setting
from hwinfod.settings.table import Table
from hwinfod.settings.toml import dotted, found

# Of one file: more than this is not a slip of the pen but another program's file, and hints cost time.
_UNKNOWN_LIMIT = 20


def load(
    table: Table,
    command: Command,
    environ: Mapping[str, str],
    *,
    uid: int | None = None,
    places: Places = PLACES,
    strict: bool = False,
) -> Settings:
    """The settings in force. Raises SettingsError with all problems of all layers.

    Unknown keys are `warnings`, or problems if `strict`. `uid` is the effective user id, for defaults that
    differ for root. Called again on SIGHUP with the same arguments: nothing is kept between calls.
    """
    draft = _Draft(table, environ, os.geteuid() if uid is None else uid, strict=strict)
    draft.take_files(places, command.config)
    draft.take_environment(environ)
    for setting, given in command.flags.items():
        draft.take(setting, Origin("flag", given.flag), setting.form.from_flags, given.texts)
    if draft.problems:
        raise SettingsError(draft.problems)
    return Settings(table, draft.values, draft.origins, draft.warnings, draft.files)


class _Draft:
    """The values so far, and what was wrong on the way."""

    def __init__(self, table: Table, environ: Mapping[str, str], uid: int, *, strict: bool = False) -> None:
        self.table = table
        self.values: dict[Setting[Any], Any] = {}
        self.origins: dict[Setting[Any], Origin] = {}
        self.problems: list[Problem] = []
        self.warnings = self.problems if strict else []
        self.files: list[str] = []
        for setting in table:
            default_for = setting.default_for
            self.values[setting] = default_for(environ, uid) if default_for else setting.default
            self.origins[setting] = Origin()

    def take(self, setting: Setting[Any], origin: Origin, read: Callable[[Any], Any], written: object) -> None:
        """One value of one layer, through a reader of the setting's form."""
        try:
            self.values[setting] = read(written)
        except ValueError as error:
            text = f"expected {setting.form.expects}; what was given is not shown" if setting.secret else str(error)
            hint = "" if setting.secret else f"the default is {setting.default_text}"
            self.problems.append(Problem(origin, setting.key, text, hint))
        else:
            self.origins[setting] = origin

    def take_files(self, places: Places, named: str) -> None:
        paths, problems = find_files(places, named)
        self.problems += problems
        for path in paths:
            try:
                file = read_config_file(path)
            except SettingsError as error:
                self.problems += error.problems
            else:
                self.files.append(path)
                self.take_file(file)

    def take_file(self, file: ConfigFile) -> None:
        lines = key_lines(file.text)
        known = [".".join(path) for path in (*self.table.by_path, *self.table.sections)]
        unknown = 0
        for path, value in _leaves(file.content, self.table):
            origin = Origin("file", file.path, line_of(lines, path))
            setting = self.table.by_path.get(path)
            if setting is not None:
                self.take(setting, origin, setting.form.from_toml, value)
            elif path in self.table.sections:
                text = f"expected a section, found {found(value)}"
                self.problems.append(Problem(origin, dotted(path), text, f"write [{dotted(path)}]"))
            else:
                unknown += 1
                if unknown <= _UNKNOWN_LIMIT:
                    key = dotted(path)
                    self.warnings.append(Problem(origin, key, "unknown setting", did_you_mean(key, known)))
        if unknown > _UNKNOWN_LIMIT:
            more = f"{unknown - _UNKNOWN_LIMIT} more unknown settings"
            self.warnings.append(Problem(Origin("file", file.path), "", more, "is this file for hwinfod?"))

    def take_environment(self, environ: Mapping[str, str]) -> None:
        for name, text in environ.items():
            if not name.startswith(PREFIX):
                continue
            setting = self.table.by_environment.get(name)
            origin = Origin("environment", name)
            if setting is not None:
                self.take(setting, origin, setting.form.from_text, text)
            elif hint := did_you_mean(name, self.table.by_environment, PREFIX):
                # Only what is nearly ours: Kubernetes gives HWINFOD_SERVICE_HOST to pods beside a service
                # named hwinfod, and that is no mistake.
                self.warnings.append(Problem(origin, "", "unknown setting", hint))


def _leaves(content: dict[str, Any], table: Table) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Paths and values, descending only into sections that the table has: a file may nest as deep as it likes."""
    stack: list[tuple[tuple[str, ...], Any]] = [((), content)]
    while stack:
        path, value = stack.pop()
        if path in table.sections and isinstance(value, dict):
            stack += [((*path, name), item) for name, item in reversed(value.items())]
        else:
            yield path, value
