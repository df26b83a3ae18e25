# SPDX-License-Identifier: MIT
"""Pressure stall information: how long work waited for a resource. Source: Documentation/accounting/psi.rst."""

from __future__ import annotations

from dataclasses import dataclass

from hwinfod.errors import ParseError

RESOURCES = ("cpu", "memory", "io", "irq")
_NAMES = [b"avg10", b"avg60", b"avg300", b"total"]


@dataclass(frozen=True, slots=True)
class Stall:
    """`total_microseconds` since boot; the averages are ratios (0 to 1) over 10, 60 and 300 s."""

    total_microseconds: int
    ratio_10s: float
    ratio_60s: float
    ratio_300s: float


@dataclass(frozen=True, slots=True)
class Pressure:
    """`some`: at least one task waited; `full`: all did, so that nothing was done. None where the kernel has
    no such line (irq has no `some`; cpu has no `full` before Linux 5.13, and of the whole host it says 0)."""

    some: Stall | None
    full: Stall | None


def parse_pressure(data: bytes) -> Pressure:
    """`some avg10=0.00 avg60=0.00 avg300=0.00 total=0` and the same with full. Raises ParseError."""
    stalls: dict[bytes, Stall] = {}
    try:
        for line in data.splitlines():
            kind, *words = line.replace(b"=", b" ").split()
            if words[:8:2] != _NAMES:
                raise ValueError
            stalls[kind] = Stall(int(words[7]), *map(_parse_percent, words[1:6:2]))
    except (ValueError, IndexError):
        raise ParseError(f"pressure: {data[:60]!r}") from None
    if not stalls:
        raise ParseError("pressure: empty")
    return Pressure(some=stalls.get(b"some"), full=stalls.get(b"full"))


def parse_total_microseconds(data: bytes) -> tuple[int | None, int | None]:
    """Only the totals of `some` and of `full`, for files that are read by the hundred: a tenth of the price. None where
    there is no such line. Raises ParseError."""
    some = full = None
    try:
        for line in data.splitlines():
            if line.startswith(b"some "):
                some = int(line.rpartition(b" total=")[2])
            elif line.startswith(b"full "):
                full = int(line.rpartition(b" total=")[2])
    except ValueError:
        raise ParseError(f"pressure: {data[:60]!r}") from None
    return some, full


def _parse_percent(word: bytes) -> float:
    """A share from `12.34`. By way of the integer: 12.34 / 100 is not the double nearest to 0.1234."""
    whole, _, hundredths = word.partition(b".")
    if not (whole.isdigit() and hundredths.isdigit() and len(hundredths) == 2):
        raise ValueError
    return int(whole + hundredths) / 10_000
