# SPDX-License-Identifier: MIT
from __future__ import annotations

import os

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.files import SeqFile
from hwinfod.sources.proc_stat import MODES, TICKS_PER_SECOND, WIDTH, parse_stat

SAMPLE = b"""\
cpu  2432 0 1584 140668 116 0 17 18 5 1
cpu0 474 0 608 71282 8 0 3 6 5 1
cpu17 1958 0 976 69386 107 0 13 12 0 0
intr 98093 0 0 0 144 29
ctxt 205792
btime 1795312211
processes 6509
procs_running 2
procs_blocked 1
softirq 65658 0 12164 3
"""


def test_sample() -> None:
    stat = parse_stat(SAMPLE)
    assert stat.names == (b"cpu", b"cpu0", b"cpu17")
    assert stat.ticks[2 * WIDTH :] == [1958, 0, 976, 69386, 107, 0, 13, 12, 0, 0]
    assert dict(zip(MODES, stat.ticks))["guest"] == 5
    assert (stat.interrupts, stat.softirqs, stat.context_switches) == (98093, 65658, 205792)
    assert (stat.boot_time_seconds, stat.forks, stat.running, stat.blocked) == (1795312211, 6509, 2, 1)


def test_without_the_lines_after_the_processors_they_are_none_not_zero() -> None:
    stat = parse_stat(b"cpu 1 2 3 4 5 6 7 8 9 10\n")
    assert stat.ticks == list(range(1, 11))
    assert stat.interrupts is None
    assert stat.running is None


def test_interrupts_alone_on_their_line() -> None:
    assert parse_stat(b"cpu 1 2 3 4 5 6 7 8 9 10\nintr 98093\nctxt 7\n").interrupts == 98093


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"cpu 1 2 3\n",
        b"cpu 1 2 3 4 5 6 7 8 9 ten\n",
        b"cpu0 1 2 3 4 5 6 7 8 9 10\n",
        b"cpu 1 2 3 4 5 6 7 8 9 10 11\n",
        b"cpu 1 2 3 4 5 6 7 8 9 10\nintr x\n",
        b"cpu 1 2 3 4 5 6 7 8 9 10\nintr 5\nctxt many\n",
    ],
)
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_stat(data)


@given(st.binary() | st.binary().map(lambda tail: SAMPLE + tail) | st.binary().map(lambda tail: b"cpu " + tail))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        stat = parse_stat(data)
    except ParseError:
        return
    assert len(stat.ticks) == WIDTH * len(stat.names)


def test_the_real_file_agrees_with_psutil() -> None:
    if not os.path.exists("/proc/stat"):
        pytest.skip("no /proc")
    before = psutil.cpu_times()
    stat = parse_stat(SeqFile("/proc/stat").read())
    after = psutil.cpu_times()
    for mode, ticks in zip(MODES, stat.ticks):
        assert getattr(before, mode) - 0.05 <= ticks / TICKS_PER_SECOND <= getattr(after, mode) + 0.05
    assert len(stat.names) == 1 + psutil.cpu_count()
