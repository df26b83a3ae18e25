# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.diskstats import SECTOR_BYTES, DiskStats, parse_diskstats_words, split_diskstats
from hwinfod.sources.files import read_file

DATA = b"""\
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 259       1 nvme0n1 9689 5781 1253778 4334 1651 11265 637432 1555 3 1788 6102 3312 48 42312 208 86 9
   8       0 sda 1 2 3 4 5 6 7 8 9 10 11
   8      16 sdb 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
"""


def parse_all(data: bytes) -> list[DiskStats]:
    return [parse_diskstats_words(words) for words in split_diskstats(data).values()]


def test_all_fields() -> None:
    stats = parse_diskstats_words(split_diskstats(DATA)["nvme0n1"])
    assert (stats.reads, stats.reads_merged, stats.read_sectors, stats.read_milliseconds) == (9689, 5781, 1253778, 4334)
    assert (stats.writes, stats.writes_merged, stats.written_sectors, stats.write_milliseconds) == (
        1651,
        11265,
        637432,
        1555,
    )
    assert (stats.in_flight, stats.busy_milliseconds, stats.weighted_milliseconds) == (3, 1788, 6102)
    assert (stats.discards, stats.discards_merged, stats.discarded_sectors) == (3312, 48, 42312)
    assert (stats.discard_milliseconds, stats.flushes, stats.flush_milliseconds) == (208, 86, 9)


def test_older_kernels_lack_fields_which_are_none() -> None:
    lines = split_diskstats(DATA)
    oldest, newer = parse_diskstats_words(lines["sda"]), parse_diskstats_words(lines["sdb"])
    assert (oldest.weighted_milliseconds, oldest.discards, oldest.flushes) == (11, None, None)
    assert (newer.discards, newer.discard_milliseconds, newer.flushes) == (12, 15, None)


def test_a_newer_kernel_adds_fields() -> None:
    words = split_diskstats(b"8 0 sda " + b" ".join(b"%d" % i for i in range(30)))["sda"]
    assert parse_diskstats_words(words).flush_milliseconds == 16


@pytest.mark.parametrize("data", [b"8 0\n", b"8 0 sda 1 2 3\n", b"8 0 sda 1 2 3 4 5 6 7 8 9 10 x\n"])
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_all(data)


@given(st.binary() | st.binary().map(lambda tail: DATA + tail))
def test_arbitrary_bytes(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        assert all(isinstance(stats.in_flight, int) for stats in parse_all(data))


def test_the_real_file_agrees_with_psutil() -> None:
    before = psutil.disk_io_counters(perdisk=True, nowrap=False)
    lines = split_diskstats(read_file("/proc/diskstats"))
    after = psutil.disk_io_counters(perdisk=True, nowrap=False)
    common = [name for name in before if name in lines and name in after]
    if not common:
        pytest.skip("no disk that psutil shows")
    for name in common:
        stats = parse_diskstats_words(lines[name])
        assert before[name].read_bytes <= stats.read_sectors * SECTOR_BYTES <= after[name].read_bytes
        assert before[name].write_count <= stats.writes <= after[name].write_count
        assert before[name].busy_time <= stats.busy_milliseconds <= after[name].busy_time
