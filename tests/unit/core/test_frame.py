# SPDX-License-Identifier: MIT
"""Frames are lossless, for columns that move together too, and damage to one raises ParseError and nothing else."""

from __future__ import annotations

import contextlib
import random
import struct
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hwinfod.core import codec
from hwinfod.core.frame import TIED, pack_frame, unpack_column, unpack_frame
from hwinfod.core.packing import SPARSE
from hwinfod.errors import ParseError
from tests.unit.core.builders import identical

ROWS = 40
_random = random.Random(1)
MOVING = [_random.randrange(10**6) * 1000 for _ in range(ROWS)]
APART = [_random.randrange(10**6) * 1000 for _ in range(ROWS)]

values = st.one_of(st.none(), st.integers(-(2**66), 2**66), st.floats())
sizes = st.lists(st.integers(0, 2**62), min_size=ROWS, max_size=ROWS)
related = st.tuples(sizes, st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62), st.sampled_from((1, -1)))
frames = st.one_of(
    st.lists(st.lists(values, min_size=ROWS, max_size=ROWS), min_size=1, max_size=6),
    st.lists(related, min_size=1, max_size=4).map(
        lambda all_of_them: [
            column
            for one, start, last, sign in all_of_them
            for column in (one, [start + sign * value for value in one[:-1]] + [last])
        ]
    ),
)


@given(frames)
@example([MOVING, [5 - value for value in MOVING]])
@example([[2**63 - 1, -(2**63)] * (ROWS // 2), [-(2**63), 2**63 - 1] * (ROWS // 2)])
def test_every_column_of_a_frame_comes_back(columns):
    for tie in (False, True):
        frame = pack_frame(columns, tie=tie)
        for place, column in enumerate(columns):
            assert identical(unpack_column(frame, place, len(columns), ROWS), column)
        for found, column in zip(unpack_frame(frame, len(columns), ROWS), columns, strict=True):
            assert identical(found, column)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_column_that_moves_with_another_takes_next_to_nothing(sign):
    pair = [MOVING, [10**9 + sign * value + i % 2 for i, value in enumerate(MOVING)]]
    alone = len(pack_frame(pair[:1]))
    assert len(pack_frame(pair, tie=True)) < 1.25 * alone
    assert len(pack_frame(pair)) > 1.75 * alone


def test_columns_that_move_apart_are_not_tied():
    assert pack_frame([MOVING, APART], tie=True) == pack_frame([MOVING, APART])


any_codes = st.sampled_from([0, 1, 2, 3, 4, 8, 9, 12, 17, 20, 24, 29, 0x80, 0x88, TIED, TIED | 0x80, 0xFF])


@given(st.binary(max_size=300), st.lists(any_codes, min_size=4, max_size=4))
def test_damage_raises_nothing_else(data, codes):
    for frame in (data, _deflated(data), _deflated(bytes(codes) + data)):
        for place in range(4):
            with contextlib.suppress(ParseError):
                unpack_column(frame, place, 4, 60)
        with contextlib.suppress(ParseError):
            unpack_frame(frame, 4, 60)


ONE = struct.pack("=q", 1)
INT = codec.CONSTANT_INT


@pytest.mark.parametrize(
    ("codes", "payloads"),
    [
        ([codec.DELTAS], b""),
        ([codec.DELTAS], ONE + bytes(58)),
        ([INT, TIED], ONE + bytes((1, INT)) + ONE),
        ([INT, TIED, TIED], ONE + bytes((0, INT)) + ONE + bytes((1, INT)) + ONE),
        ([codec.ABSENT, TIED], bytes((0, INT)) + ONE),
        ([INT, TIED], ONE),
        ([codec.DELTAS + SPARSE], ONE + bytes((1, 0, 59, 1))),
    ],
    ids=[
        "no payload",
        "a change short",
        "tied to itself",
        "tied to what is tied",
        "tied to nothing",
        "tied to none",
        "beyond",
    ],
)
def test_a_frame_that_makes_no_sense_is_refused(codes, payloads):
    with pytest.raises(ParseError):
        unpack_column(_deflated(bytes(codes) + payloads), len(codes) - 1, len(codes), 60)


def _deflated(data):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()
