# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import Gone, ParseError
from hwinfod.sources.files import Roots
from hwinfod.sources.thread_group import parse_thread_group, read_thread_group


def test_a_thread_belongs_to_its_process():
    found = []

    def look() -> None:
        found.extend((threading.get_native_id(), read_thread_group(Roots(), threading.get_native_id())))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found[0] != os.getpid()
    assert found[1] == os.getpid()
    assert read_thread_group(Roots(), os.getpid()) == os.getpid()


def test_a_name_forges_nothing():
    assert parse_thread_group(b"Name:\ta\\nTgid:\t1\nUmask:\t0022\nTgid:\t546\nNgid:\t0\n") == 546


def test_what_ended_is_gone(tmp_path):
    with pytest.raises(Gone):
        read_thread_group(Roots(procfs=str(tmp_path)), 4711)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_number_or_a_parse_error(data):
    with contextlib.suppress(ParseError):
        assert isinstance(parse_thread_group(data), int)
    with contextlib.suppress(ParseError):
        assert isinstance(parse_thread_group(b"Name:\tx\nTgid:" + data), int)
