# SPDX-License-Identifier: MIT
"""A chart of text: one column a bucket, shaded from min to max, marked at the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hwinfod.ctl.terminal import Terminal

Bucket = tuple[float, float, float]  # min, mean, max
_LABEL = 10


def chart(
    buckets: Sequence[Bucket | None],
    low: float,
    high: float,
    height: int,
    text: Callable[[float], str],
    terminal: Terminal,
) -> list[str]:
    """Lines from the top. A flat series is drawn in the middle, a bucket without a value is a gap."""
    if high == low:
        labels = {height - 1 - round((height - 1) / 2): text(low)}
        low, high = low - 1, high + 1
    else:
        labels = {0: text(high), height - 1: text(low)}
    mark, shade, axis = ("█", "░", "│") if terminal.unicode else ("#", ":", "|")
    rows = []
    for row in range(height):
        level = height - 1 - row
        cells = []
        for bucket in buckets:
            if bucket is None:
                cells.append(" ")
                continue
            bottom, middle, top = (round((value - low) / (high - low) * (height - 1)) for value in bucket)
            cells.append(mark if level == middle else shade if bottom <= level <= top else " ")
        line = "".join(cells).rstrip()
        rows.append(f"{labels.get(row, ''):>{_LABEL}} {axis}{terminal.paint(line, 'cyan')}")
    return rows
