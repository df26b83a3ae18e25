# SPDX-License-Identifier: MIT
"""Reading a mapping out of YAML strictly: every key is asked for, has its type, and none is left over."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from hwinfod.errors import UserError

T = TypeVar("T")
_TYPE_NAMES = {str: "a string", int: "a whole number", bool: "true or false", list: "a list", dict: "a mapping"}


class Section:
    """A mapping of the file. What is null or missing is its default, as in Go's YAML."""

    def __init__(self, value: Any, path: str = "") -> None:
        self.path = path
        if value is not None and not isinstance(value, dict):
            raise UserError(f"{path or 'the file'}: must be a mapping")
        self._values: dict[Any, Any] = dict(value or {})
        self._asked: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._values)

    def take(self, key: str, kind: type[T], default: T) -> T:
        """The value of a key. Raises UserError when it has another type; the value itself may be a secret."""
        self._asked.add(key)
        value = self._values.get(key)
        if value is None:
            return default
        # A bool is an int to Python and to nobody else.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UserError(f"{self.key_path(key)}: must be {_TYPE_NAMES[kind]}")
        return value

    def take_choice(self, key: str, choices: Collection[str], default: str) -> str:
        value = self.take(key, str, default) or default
        if value not in choices:
            raise UserError(f"{self.key_path(key)}: unknown value {value}", hint=f"known: {', '.join(sorted(choices))}")
        return value

    def take_strings(self, key: str) -> tuple[str, ...]:
        values = self.take(key, list, [])
        if not all(isinstance(value, str) for value in values):
            raise UserError(f"{self.key_path(key)}: must be a list of strings")
        return tuple(values)

    def take_mapping(self, key: str) -> dict[str, str]:
        """A mapping of strings to strings."""
        values = self.take(key, dict, {})
        if not all(isinstance(name, str) and isinstance(value, str) for name, value in values.items()):
            raise UserError(f"{self.key_path(key)}: must map strings to strings", hint="put quotes around numbers")
        return values

    def take_section(self, key: str) -> Section:
        self._asked.add(key)
        return Section(self._values.get(key), self.key_path(key))

    def refuse(self, key: str, hint: str) -> None:
        """A key of the grammar that is not supported here."""
        self._asked.add(key)
        if self._values.get(key) is not None:
            raise UserError(f"{self.key_path(key)}: is not supported", hint=hint)

    def finish(self) -> None:
        """Raises UserError for the first key that nobody asked for."""
        for key in self._values:
            if key not in self._asked:
                raise UserError(f"unknown key {self.key_path(str(key))}", hint=_suggestion(str(key), self._asked))

    def key_path(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _suggestion(key: str, known: Collection[str]) -> str:
    import difflib

    close = difflib.get_close_matches(key, known, 1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(sorted(known))}"
