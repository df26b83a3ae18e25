# SPDX-License-Identifier: MIT
"""Spans of time and sizes, written with a unit."""

from __future__ import annotations

from hwinfod.settings.form import Form
from hwinfod.settings.toml import Toml

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
# A lone letter is the power of 1024, as in systemd.unit(5); kB, MB, GB are powers of 1000 (IEC 80000-13).
_BYTES = {
    "tib": 1 << 40, "gib": 1 << 30, "mib": 1 << 20, "kib": 1 << 10,
    "t": 1 << 40, "g": 1 << 30, "m": 1 << 20, "k": 1 << 10,
    "tb": 10**12, "gb": 10**9, "mb": 10**6, "kb": 10**3, "b": 1, "": 1,
}  # fmt: skip
_IEC = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
_DIGITS = frozenset("0123456789.")


class Duration(Form[float]):
    """Seconds, from "1s", "15m", "1h30m", "500ms", or a number of seconds. Written with a unit."""

    metavar = "TIME"

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.expects = f'a time such as "15m" or 30, from {_duration_text(minimum)} to {_duration_text(maximum)}'

    def from_text(self, text: str) -> float:
        return self._in_range(parse_duration(text), text)

    def from_toml(self, value: object) -> float:
        if isinstance(value, str):
            return self.from_text(value)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.refusal(value)
        return self._in_range(value, value)

    def _in_range(self, seconds: float | None, written: object) -> float:
        # Compared before float(): TOML integers may be too large for one, and nan is in no range.
        if seconds is None or not self.minimum <= seconds <= self.maximum:
            raise self.refusal(written)
        return float(seconds)

    def to_toml(self, value: float) -> Toml:
        text = _duration_text(value)
        return text if parse_duration(text) == value else value

    def to_text(self, value: float) -> str:
        return _duration_text(value)


class Seconds(Duration):
    """The same for keys that end in _seconds: written as a plain number."""

    def to_toml(self, value: float) -> Toml:
        return int(value) if value == int(value) else value


class Size(Form[int]):
    """Bytes, from "16MiB", "1.5G", "64kB", or a number of bytes."""

    metavar = "SIZE"

    def __init__(self, minimum: int, maximum: int) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.expects = f'a size such as "16MiB", from {_size_text(minimum)} to {_size_text(maximum)}'

    def from_text(self, text: str) -> int:
        return self._in_range(parse_size(text), text)

    def from_toml(self, value: object) -> int:
        if isinstance(value, str):
            return self.from_text(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.refusal(value)
        return self._in_range(value, value)

    def _in_range(self, size: int | None, written: object) -> int:
        if size is None or not self.minimum <= size <= self.maximum:
            raise self.refusal(written)
        return size

    def to_toml(self, value: int) -> Toml:
        return _size_text(value)


def parse_duration(text: str) -> float | None:
    """Seconds of "1h30m", "0.5s" or "30"; None where it is no time."""
    number = _number(text)
    if number is not None:
        return number
    seconds = 0.0
    rest = text
    while rest:
        digits, rest = _split(rest)
        unit, rest = _split(rest, letters=True)
        number = _number(digits)
        if number is None or unit not in {"ms", *_SECONDS}:
            return None
        seconds += number / 1000 if unit == "ms" else number * _SECONDS[unit]
    return seconds if text else None


def parse_size(text: str) -> int | None:
    """Bytes of "16MiB", "16 MiB", "1.5G" or "4096"; None where it is no size."""
    digits, unit = _split(text)
    number = _number(digits)
    factor = _BYTES.get(unit.strip(" ").lower())
    if number is None or factor is None:
        return None
    return int(digits) * factor if digits.isdigit() else round(number * factor)


def _split(text: str, *, letters: bool = False) -> tuple[str, str]:
    """The longest start of digits and points (or of anything else), and the rest."""
    end = 0
    while end < len(text) and (text[end] in _DIGITS) != letters:
        end += 1
    return text[:end], text[end:]


def _number(digits: str) -> float | None:
    """A decimal number of at most 18 digits: no sign, no exponent, no infinity."""
    if not digits or len(digits) > 18 or not _DIGITS.issuperset(digits):
        return None
    try:
        return float(digits)
    except ValueError:
        return None


def _duration_text(seconds: float) -> str:
    """The shortest way to say it; not exact below a nanosecond."""
    for unit, factor in _SECONDS.items():
        if seconds and seconds % factor == 0:
            return f"{seconds / factor:.0f}{unit}"
    milliseconds = f"{seconds * 1000:.12g}"
    return f"{milliseconds}ms" if seconds < 1 and milliseconds.isdigit() and seconds else f"{seconds:.12g}s"


def _size_text(size: int) -> str:
    for unit, factor in _IEC:
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
