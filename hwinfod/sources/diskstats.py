# SPDX-License-Identifier: MIT
"""/proc/diskstats: what each block device has done. Source: Documentation/admin-guide/iostats.rst."""

from __future__ import annotations

from dataclasses import dataclass

from hwinfod.errors import ParseError

# A sector of these counters is 512 bytes whatever the device's own is (include/linux/blk_types.h).
SECTOR_BYTES = 512
_LEAST = 14
_WITH_DISCARDS = 18
_WITH_FLUSHES = 20


@dataclass(frozen=True, slots=True)
class DiskStats:
    """One device. Times are in milliseconds; those of reads, writes, discards and flushes are summed over
    requests, `busy` is the time with at least one in flight, `weighted` that time times how many there were.

    Times are 32 bits wide in the kernel's output and wrap after 49.7 days of waiting.
    None: the kernel is older than the field (discards 4.18, flushes 5.5).
    """

    reads: int
    reads_merged: int
    read_sectors: int
    read_milliseconds: int
    writes: int
    writes_merged: int
    written_sectors: int
    write_milliseconds: int
    in_flight: int
    busy_milliseconds: int
    weighted_milliseconds: int
    discards: int | None
    discards_merged: int | None
    discarded_sectors: int | None
    discard_milliseconds: int | None
    flushes: int | None
    flush_milliseconds: int | None


def split_diskstats(data: bytes) -> dict[str, list[bytes]]:
    """The words of each line by device name, numbers still bytes: a host has hundreds of loop devices and
    partitions for each disk that somebody asks for. Raises ParseError on a line without a name."""
    lines = [line.split() for line in data.splitlines()]
    try:
        return {words[2].decode("ascii", "replace"): words for words in lines if words}
    except IndexError:
        raise ParseError(f"/proc/diskstats: {data[:60]!r}") from None


def parse_diskstats_words(words: list[bytes]) -> DiskStats:
    """One device's line, as `split_diskstats` gives it. Raises ParseError."""
    if len(words) < _LEAST:
        raise ParseError(f"/proc/diskstats: {len(words)} words in a line, at least {_LEAST} expected")
    try:
        numbers = list(map(int, words[3:_WITH_FLUSHES]))
    except ValueError:
        raise ParseError(f"/proc/diskstats: not a number: {b' '.join(words)[:60]!r}") from None
    discards: list[int | None] = [*numbers[11:15]] if len(words) >= _WITH_DISCARDS else [None] * 4
    flushes: list[int | None] = [*numbers[15:17]] if len(words) >= _WITH_FLUSHES else [None] * 2
    return DiskStats(*numbers[:11], *discards, *flushes)
