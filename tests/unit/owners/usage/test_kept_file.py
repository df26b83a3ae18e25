# SPDX-License-Identifier: MIT
"""A file of a cgroup: parsed when it says something new, and nothing while it is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwinfod.errors import ParseError
from hwinfod.owners.usage.kept_file import KeptFile
from hwinfod.sources.cgroup_stat import parse_figure

NOTHING = (None,)


class Parser:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, data: bytes) -> tuple[int | None, ...]:
        self.calls += 1
        return (parse_figure(data),)


def test_what_says_the_same_is_not_parsed_again(tmp_path: Path) -> None:
    path, parse = tmp_path / "memory.current", Parser()
    path.write_text("5\n")
    file = KeptFile[tuple[int | None, ...]](str(path), parse, NOTHING, keeps=True)
    first = file.value()
    assert file.value() is first
    assert (first, parse.calls) == ((5,), 1)
    path.write_text("6\n")
    assert (file.value(), parse.calls) == ((6,), 2)


def test_a_file_that_is_not_there_says_nothing_until_somebody_looks_again(tmp_path: Path) -> None:
    path = tmp_path / "memory.current"
    file = KeptFile[tuple[int | None, ...]](str(path), Parser(), NOTHING, keeps=True)
    assert file.value() is NOTHING
    path.write_text("5\n")
    assert file.value() is NOTHING
    file.look_again()
    assert file.value() == (5,)
    path.unlink()
    assert file.value() is NOTHING
    nowhere = KeptFile[tuple[int | None, ...]]("", Parser(), NOTHING, keeps=True)
    nowhere.look_again()
    assert nowhere.value() is NOTHING


def test_garbage_costs_one_reading(tmp_path: Path) -> None:
    path = tmp_path / "memory.current"
    path.write_text("x\n")
    file = KeptFile[tuple[int | None, ...]](str(path), Parser(), NOTHING, keeps=True)
    for _ in range(2):
        with pytest.raises(ParseError):
            file.value()
    path.write_text("5\n")
    assert file.value() == (5,)


@pytest.mark.parametrize("size", [4095, 4096, 4097, 70_000])
def test_a_file_of_more_than_a_page_is_read_whole(tmp_path: Path, size: int) -> None:
    path = tmp_path / "io.stat"
    path.touch()
    os.truncate(path, size)  # a hole has no blocks, as a file of the kernel's: its descriptor is kept
    file = KeptFile[int](str(path), len, 0, keeps=True)
    assert file.value() == size
    path.unlink()
    assert file.value() == size


@pytest.mark.parametrize("keeps", [True, False])
def test_a_descriptor_is_held_where_there_is_room(keeps: bool) -> None:
    path = "/proc/self/oom_score_adj"
    file = KeptFile[tuple[int | None, ...]](path, Parser(), NOTHING, keeps=keeps)
    for _ in range(2):
        assert file.value() == (int(Path(path).read_text()),)
    links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)]
    assert any(link.endswith("/oom_score_adj") for link in links) is keeps


def _is_open(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")
