# SPDX-License-Identifier: MIT
"""The command line: which action, which configuration file, which flags. Values are read later, by `load`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from hwinfod.settings.problem import Origin, Problem, SettingsError, did_you_mean, printable
from hwinfod.settings.setting import Setting
from hwinfod.settings.table import ACTIONS, CONFIG_FLAG, Table


class Given(NamedTuple):
    """A flag as it was written last, and the texts of all its occurrences."""

    flag: str
    texts: tuple[str, ...]


class Command(NamedTuple):
    """`action` is run, help, version, check-config or print-config; `config` the file of --config, or ""."""

    action: str = "run"
    config: str = ""
    flags: Mapping[Setting[Any], Given] = MappingProxyType({})


def parse_command_line(table: Table, argv: Sequence[str]) -> Command:
    """`argv` without the program's name. Raises SettingsError with everything that is wrong; --help wins over all."""
    reader = _Reader(table, argv)
    if "help" in reader.actions:
        return Command("help")
    if reader.problems:
        raise SettingsError(reader.problems)
    return Command(reader.actions[-1] if reader.actions else "run", reader.config, reader.flags)


class _Reader:
    def __init__(self, table: Table, argv: Sequence[str]) -> None:
        self.table = table
        self.actions: list[str] = []
        self.config = ""
        self.flags: dict[Setting[Any], Given] = {}
        self.problems: list[Problem] = []
        self._words = list(reversed(argv))
        while self._words:
            self._take(self._words.pop())

    def _take(self, word: str) -> None:
        flag, equals, text = word.partition("=")
        setting = self.table.by_flag.get(flag)
        bare = flag in ACTIONS or (setting is not None and setting.form.switch)
        if bare and equals:
            names = " or ".join(setting.flags) if setting else flag
            self._refuse(flag, "takes no value", f"write {names}")
        elif flag in ACTIONS:
            self.actions.append(ACTIONS[flag])
        elif setting is None and flag != CONFIG_FLAG:
            self._refuse_unknown(flag, equals)
        elif setting is not None and bare:
            self.flags[setting] = Given(flag, ("true" if flag == setting.flag else "false",))
        elif not equals and (not self._words or self._words[-1].startswith("--")):
            metavar = setting.metavar if setting else "FILE"
            self._refuse(flag, "needs a value", f"write {flag} {metavar}")
        else:
            self._take_value(flag, setting, text if equals else self._words.pop())

    def _take_value(self, flag: str, setting: Setting[Any] | None, text: str) -> None:
        if setting is not None:
            before = self.flags[setting].texts if setting in self.flags else ()
            self.flags[setting] = Given(flag, (*before, text))
        elif text:
            self.config = os.path.abspath(text)
        else:
            self._refuse(flag, "needs a value", f"write {flag} FILE")

    def _refuse_unknown(self, flag: str, equals: str) -> None:
        if flag.startswith("-"):
            known = [*self.table.by_flag, *ACTIONS, CONFIG_FLAG]
            self._refuse(flag, "unknown flag", did_you_mean(flag, known))
            if not equals and self._words and not self._words[-1].startswith("-"):
                self._words.pop()  # its value, which is no second mistake
        else:
            self._refuse(flag, "unexpected argument", "every argument is a flag")

    def _refuse(self, flag: str, text: str, hint: str) -> None:
        self.problems.append(Problem(Origin("flag", printable(flag)), "", text, hint))
