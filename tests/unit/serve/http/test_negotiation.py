# SPDX-License-Identifier: MIT
"""q-values, gzip, entity tags."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.serve.http.negotiation import accepts_gzip, compress, entity_tag, etag_matches, parse_qualities


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", False),
        ("gzip", True),
        ("GZip", True),
        ("x-gzip", True),
        ("gzip, deflate, br", True),
        ("deflate, br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip; q=0.001", True),
        ("gzip ; q = 1", True),
        ("gzip;q=2", False),
        ("gzip;q=", False),
        ("gzip;q=nan", False),
        ("*", True),
        ("*;q=0", False),
        ("*;q=0, gzip", True),
        ("*, gzip;q=0", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.5, gzip;q=1.0", True),
        ("identity;q=0", False),
        ("gzippy", False),
    ],
)
def test_accept_encoding(header: str, wanted: bool) -> None:
    assert accepts_gzip(header) is wanted


def test_qualities_keep_parameters_and_order() -> None:
    header = "application/openmetrics-text; version=1.0.0;q=0.75, text/plain;version=0.0.4;q=0.5,*/*;q=0.1, bad;q=x"
    assert list(parse_qualities(header).items()) == [
        ("application/openmetrics-text;version=1.0.0", 0.75),
        ("text/plain;version=0.0.4", 0.5),
        ("*/*", 0.1),
    ]


@given(st.text(max_size=100))
def test_any_header_has_qualities_between_0_and_1(header: str) -> None:
    assert all(name and 0 <= quality <= 1 for name, quality in parse_qualities(header).items())


@given(st.binary(max_size=5000))
def test_compression_is_gzip_and_the_same_each_time(body: bytes) -> None:
    assert gzip.decompress(compress(body)) == body
    assert compress(body) == compress(body)


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        ("", False),
        ('"a-1"', True),
        ('W/"a-1"', True),
        ('"x", "a-1"', True),
        ('"a-1-gzip"', True),
        ("*", True),
        ('"a-2"', False),
        ('"A-1"', False),
        ("a-1", False),
        ('"a-1', False),
    ],
)
def test_if_none_match(header: str, matches: bool) -> None:
    assert etag_matches(header, "a-1") is matches


def test_nothing_matches_a_reply_without_a_tag() -> None:
    assert not etag_matches("*", "")


def test_a_compressed_body_is_another_representation() -> None:
    assert entity_tag("a", gzip=True) != entity_tag("a", gzip=False)
