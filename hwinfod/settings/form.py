# SPDX-License-Identifier: MIT
"""How a value is written: in TOML, in the text of a flag or a variable, and back. The plain forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from hwinfod.settings.toml import Toml, found

T = TypeVar("T")


class Form(Generic[T]):
    """The way between what people write and a `T`. All readers raise ValueError with a short text.

    `expects` completes "expected ..."; `metavar` stands for the value in help; `choices` are the only words
    allowed, if not empty; a `repeatable` flag may be given more than once; a `switch` has none and is given
    as --X or --no-X.
    """

    expects = "a value"
    metavar = "VALUE"
    choices: tuple[str, ...] = ()
    repeatable = False
    switch = False

    def from_text(self, text: str) -> T:
        """The value of a flag or an environment variable."""
        raise NotImplementedError

    def from_toml(self, value: object) -> T:
        """The value of a TOML key: a text unless a form says otherwise."""
        if not isinstance(value, str):
            raise self.refusal(value)
        return self.from_text(value)

    def from_flags(self, texts: Sequence[str]) -> T:
        """The value of a flag that was given once or more often: the last one counts."""
        return self.from_text(texts[-1])

    def to_toml(self, value: T) -> Toml:
        """What a person would write in the file for `value`."""
        raise NotImplementedError

    def to_text(self, value: T) -> str:
        """What a person would write behind the flag for `value`."""
        return str(self.to_toml(value))

    def refusal(self, value: object) -> ValueError:
        return ValueError(f"expected {self.expects}, found {found(value)}")


class Boolean(Form[bool]):
    expects = "true or false"
    metavar = ""
    switch = True

    def from_text(self, text: str) -> bool:
        word = text.lower()
        if word in {"true", "yes", "on", "1"}:
            return True
        if word in {"false", "no", "off", "0"}:
            return False
        raise self.refusal(text)

    def from_toml(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise self.refusal(value)
        return value

    def to_toml(self, value: bool) -> Toml:
        return value

    def to_text(self, value: bool) -> str:
        return "true" if value else "false"


class Integer(Form[int]):
    metavar = "N"

    def __init__(self, minimum: int, maximum: int) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.expects = f"a whole number from {minimum} to {maximum}"

    def from_text(self, text: str) -> int:
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
            raise self.refusal(text)
        return self.from_toml(int(text))

    def from_toml(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not self.minimum <= value <= self.maximum:
            raise self.refusal(value)
        return value

    def to_toml(self, value: int) -> Toml:
        return value


class Text(Form[str]):
    expects = "a text of printable characters"
    metavar = "TEXT"

    def from_text(self, text: str) -> str:
        if not text.isprintable():
            raise self.refusal(text)
        return text

    def to_toml(self, value: str) -> Toml:
        return value


class Choice(Form[str]):
    metavar = "WORD"

    def __init__(self, *choices: str) -> None:
        self.choices = choices
        self.expects = f"one of {', '.join(choices)}"

    def from_text(self, text: str) -> str:
        if text not in self.choices:
            raise self.refusal(text)
        return text

    def to_toml(self, value: str) -> Toml:
        return value


class ListOf(Form[tuple[T, ...]]):
    """A TOML array; a flag that is repeated, where an empty one forgets those before it; a variable with commas.

    A list replaces that of an earlier file as a whole, it does not add to it.
    """

    repeatable = True

    def __init__(self, item: Form[T]) -> None:
        self.item = item
        self.metavar = item.metavar
        self.choices = item.choices
        self.expects = f"an array, each item {item.expects}"

    def from_text(self, text: str) -> tuple[T, ...]:
        words = (word.strip() for word in text.split(","))
        return tuple(self.item.from_text(word) for word in words if word)

    def from_toml(self, value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise self.refusal(value)
        return tuple(map(self.item.from_toml, value))

    def from_flags(self, texts: Sequence[str]) -> tuple[T, ...]:
        items: list[T] = []
        for text in texts:
            if text:
                items.append(self.item.from_text(text))
            else:
                items.clear()
        return tuple(items)

    def to_toml(self, value: tuple[T, ...]) -> Toml:
        return [self.item.to_toml(item) for item in value]

    def to_text(self, value: tuple[T, ...]) -> str:
        return ",".join(map(self.item.to_text, value))


class OrNone(Form[T | None]):
    """A value that can be switched off by the empty text, which TOML has in the place of a null."""

    def __init__(self, form: Form[T]) -> None:
        self.form = form
        self.metavar = form.metavar
        self.choices = form.choices
        self.expects = f'{form.expects}, or "" for none'

    def from_text(self, text: str) -> T | None:
        return self.form.from_text(text) if text else None

    def from_toml(self, value: object) -> T | None:
        return None if value == "" else self.form.from_toml(value)

    def to_toml(self, value: T | None) -> Toml:
        return "" if value is None else self.form.to_toml(value)

    def to_text(self, value: T | None) -> str:
        return "" if value is None else self.form.to_text(value)
