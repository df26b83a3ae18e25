# SPDX-License-Identifier: MIT
"""Numbers as people read them: 1.2 GiB, 3h10m, 71 C. The machine's way is --json."""

from __future__ import annotations

import math
import re
import time

_NUMBER = re.compile(r"((?:^|(?<=[a-z_# ]))[0-9]+(?![0-9]*:))")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_DECIMAL = ("", "k", "M", "G", "T", "P")


def number(value: object) -> float | None:
    """A value of the API as a float; None where it is absent."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return float(str(value))
    except ValueError:
        return None


def natural(name: str) -> list[str | int]:
    """To sort by: nvme2 before nvme10, but 9a:00.0 behind 18:00.0, whose digits are hexadecimal."""
    return [int(part) if place % 2 else part for place, part in enumerate(_NUMBER.split(name))]


def short(value: float) -> str:
    """Three digits at least, no noise behind them."""
    if not math.isfinite(value):
        return str(value)
    magnitude = abs(value)
    if value == int(value) and magnitude < 1e6:
        return str(int(value))
    if magnitude >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if magnitude >= 10 else f"{value:.2f}" if magnitude >= 0.01 else f"{value:.2g}"


def size(value: float) -> str:
    """Bytes with a binary prefix."""
    index = 0
    while 1024 <= abs(value) < math.inf and index < len(_BINARY) - 1:
        value /= 1024
        index += 1
    return f"{short(value)} {_BINARY[index]}"


def decimal(value: float, unit: str) -> str:
    """Anything else that grows large: 5.1 kW, 2.4 GHz."""
    index = 0
    while 1000 <= abs(value) < math.inf and index < len(_DECIMAL) - 1:
        value /= 1000
        index += 1
    return f"{short(value)} {_DECIMAL[index]}{unit}".rstrip()


def duration(seconds: float) -> str:
    """41d, 6h12m, 2m33s, 0.4s: two parts at most."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms" if seconds else "0s"
    if seconds < 60:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h{minutes:02d}m"
    return f"{hours // 24}d"


def clock(seconds: float, form: str = "%H:%M:%S") -> str:
    """A time of the API in this machine's zone."""
    return time.strftime(form, time.localtime(seconds))


def quantity(value: float, unit: str) -> str:
    """A value with the unit of its metric, for reading."""
    if unit == "bytes":
        return size(value)
    if unit == "bytes_per_second":
        return f"{size(value)}/s"
    if unit == "ratio":
        return f"{value * 100:.3g} %"
    if unit == "timestamp_seconds":
        return clock(value, "%Y-%m-%d %H:%M:%S")
    if unit == "seconds":
        return duration(value)
    symbol = {"watts": "W", "volts": "V", "amperes": "A", "hertz": "Hz", "joules": "J", "celsius": "C"}.get(unit)
    if symbol == "C":
        return f"{short(value)} C"
    if symbol:
        return decimal(value, symbol)
    return short(value) if abs(value) < 1e6 else decimal(value, "")


def rate(value: float, unit: str) -> str:
    """A counter's change per second."""
    if unit == "bytes":
        return f"{size(value)}/s"
    if unit == "seconds":
        return f"{short(value)} s/s"
    if unit == "joules":
        return decimal(value, "W")
    return f"{decimal(value, '')}/s"
