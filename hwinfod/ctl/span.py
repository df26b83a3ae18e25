# SPDX-License-Identifier: MIT
"""Spans of time as people type them: 90s, 15m, 2h, 1d."""

from __future__ import annotations

import argparse

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_span(text: str) -> float:
    """Seconds of a span. Raises argparse.ArgumentTypeError."""
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _SECONDS else (text, "s")
    try:
        seconds = float(number) * _SECONDS[unit]
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time; write 90s, 15m, 2h or 1d")
    return seconds
