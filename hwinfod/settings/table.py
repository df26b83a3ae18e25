# SPDX-License-Identifier: MIT
"""All settings of the program in one table, which no two of them may share a name in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hwinfod.settings.setting import Setting

# What the command line understands beside the settings.
ACTIONS = {
    "-h": "help",
    "--help": "help",
    "--version": "version",
    "--check-config": "check-config",
    "--print-config": "print-config",
}
CONFIG_FLAG = "--config"


class Table:
    """The settings of the daemon and of every collector, found by key, flag and environment variable.

    `titles` names the sections that have a title of their own in help and example. Raises ValueError for two
    settings with the same key, flag or variable, and for a key that is a section of another: a defect of the
    program, not of its user. One and the same setting may be given more than once.
    """

    def __init__(self, settings: Iterable[Setting[Any]], titles: Mapping[str, str] | None = None) -> None:
        self.titles = dict(titles or {})
        self.by_path: dict[tuple[str, ...], Setting[Any]] = {}
        self.by_flag: dict[str, Setting[Any]] = {}
        self.by_environment: dict[str, Setting[Any]] = {}
        self.sections: set[tuple[str, ...]] = {()}
        for setting in dict.fromkeys(settings):  # collectors of one domain may share a setting
            self._add(setting)
        for path in self.by_path:
            if path in self.sections:
                raise ValueError(f"setting {self.by_path[path].key} is a section of another setting, too")

    def _add(self, setting: Setting[Any]) -> None:
        for name in setting.flags:
            if name in ACTIONS or name == CONFIG_FLAG:
                raise ValueError(f"setting {setting.key}: flag {name} is taken")
            _enter(self.by_flag, name, setting)
        _enter(self.by_environment, setting.environment, setting)
        path = setting.path
        _enter(self.by_path, path, setting)
        self.sections.update(path[:length] for length in range(1, len(path)))

    def __iter__(self) -> Iterator[Setting[Any]]:
        return iter(self.by_path.values())

    def __len__(self) -> int:
        return len(self.by_path)

    def by_section(self) -> list[tuple[str, list[Setting[Any]]]]:
        """Sections as a file has them: top level, then as declared, collectors last and by name."""
        groups: dict[str, list[Setting[Any]]] = {"": []}
        for setting in self:
            groups.setdefault(setting.section, []).append(setting)
        # A stable sort: what is no collector keeps the order of its declaration.
        order = sorted(groups, key=lambda name: name if name.startswith("collector.") else "")
        return [(name, groups[name]) for name in order if groups[name]]


def _enter(index: dict[Any, Setting[Any]], name: object, setting: Setting[Any]) -> None:
    if name in index:
        raise ValueError(f"settings {index[name].key} and {setting.key} share {name}")
    index[name] = setting
