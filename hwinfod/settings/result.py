# SPDX-License-Identifier: MIT
"""The settings in force: each value with its type and its origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hwinfod.settings.form import T
from hwinfod.settings.problem import Origin, Problem
from hwinfod.settings.setting import Setting
from hwinfod.settings.table import Table
from hwinfod.settings.toml import Toml

HIDDEN = "(hidden)"


class Settings:
    """What `load` found, never changed afterwards. `warnings` are unknown keys, `files` what was read, in order."""

    __slots__ = ("_origins", "_values", "files", "table", "warnings")

    def __init__(
        self,
        table: Table,
        values: Mapping[Setting[Any], Any],
        origins: Mapping[Setting[Any], Origin],
        warnings: Sequence[Problem] = (),
        files: Sequence[str] = (),
    ) -> None:
        self.table = table
        self.warnings = tuple(warnings)
        self.files = tuple(files)
        self._values = dict(values)
        self._origins = dict(origins)

    @classmethod
    def of(cls, table: Table, values: Mapping[Setting[Any], Any] | None = None) -> Settings:
        """The declared defaults, and `values` over them: for programs and tests that have no files."""
        given = values or {}
        origins = {setting: Origin("program" if setting in given else "default") for setting in table}
        return cls(table, {setting: setting.default for setting in table} | dict(given), origins)

    def __getitem__(self, setting: Setting[T]) -> T:
        value: T = self._values[setting]
        return value

    def origin(self, setting: Setting[Any]) -> Origin:
        """Where the value came from. `str()` of it is for people."""
        return self._origins[setting]

    def redacted(self) -> list[dict[str, Toml]]:
        """For the API: `key`, `value` as in the file, `origin`; secrets are hidden, unless they are the default."""
        return [
            {"key": setting.key, "value": shown(self, setting), "origin": str(self.origin(setting))}
            for setting in self.table
        ]


class Reload(NamedTuple):
    """What a second reading of the configuration leads to."""

    settings: Settings  # in force from now on: what takes a restart has kept its value
    applied: tuple[Setting[Any], ...]
    deferred: tuple[Setting[Any], ...]  # changed in the files, but only a restart applies them


def reload(old: Settings, new: Settings) -> Reload:
    """The settings after SIGHUP. Both were loaded with the same table."""
    changed = [setting for setting in new.table if new[setting] != old[setting]]
    deferred = tuple(setting for setting in changed if not setting.reload)
    values = {setting: (old if setting in deferred else new)[setting] for setting in new.table}
    origins = {setting: (old if setting in deferred else new).origin(setting) for setting in new.table}
    settings = Settings(new.table, values, origins, new.warnings, new.files)
    return Reload(settings, tuple(setting for setting in changed if setting.reload), deferred)


def shown(settings: Settings, setting: Setting[Any]) -> Toml:
    """The value as in the file; of a secret, only that there is one."""
    if setting.secret and settings.origin(setting).source != "default":
        return HIDDEN
    return setting.form.to_toml(settings[setting])
