# SPDX-License-Identifier: MIT
"""One line a measurement: what, value, target, verdict."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Line:
    """`value` against `target` (at most, None: only told); `spread` and `note` tell how it came about."""

    what: str
    value: float
    unit: str = ""
    target: float | None = None
    spread: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "ok" if self.value <= self.target else "OVER"


def ratio_line(what: str, ours: Sequence[float], theirs: Sequence[float], target: float | None, note: str = "") -> Line:
    """The median of the ratios of paired runs, with the least and the greatest of them."""
    ratios = sorted(a / b for a, b in zip(ours, theirs))
    return Line(what, median(ratios), "x", target, f"{ratios[0]:.3g}..{ratios[-1]:.3g}", note)


def print_table(lines: Sequence[Line]) -> None:
    rows = [("measured", "value", "target", "", "spread", "how")]
    for line in lines:
        target = "" if line.target is None else f"<= {_text(line.target)} {line.unit}"
        value = f"{_text(line.value)} {line.unit}"
        rows.append((line.what, value.strip(), target.strip(), line.verdict, line.spread, line.note))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].rjust(widths[2]), row[3].ljust(4)]
        print("  ".join([*cells, row[4].ljust(widths[4]), row[5]]).rstrip())


def _text(value: float) -> str:
    return f"{value:.4g}"
