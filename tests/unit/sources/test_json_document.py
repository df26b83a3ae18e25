# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.json_document import array, integer, mapping, parse_json, text, texts

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda item: st.lists(item) | st.dictionaries(st.text(), item),
)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[1,]", b"[" * 200_000, b'{"a":' * 200_000])
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_json(data)


def test_a_number_without_end_costs_nothing() -> None:
    assert parse_json(b"[" + b"9" * 3_000_000 + b", 7]") == [None, 7]


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        parse_json(data)


@given(ANY)
def test_any_document_is_read_without_surprise(value: object) -> None:
    document = parse_json(json.dumps(value).encode())
    assert text(document).isprintable()
    assert all(item.isprintable() for item in texts(document))
    assert isinstance(mapping(document, "a", "b"), dict)
    assert isinstance(array(document), list)
    assert integer(document) is None or isinstance(value, int)


def test_access() -> None:
    document = {"a": {"b": {"c": 1}}, "list": ["x", 2, "y\n"]}
    assert mapping(document, "a", "b") == {"c": 1}
    assert mapping(document, "a", "x", "b") == {}
    assert mapping(document, "list") == {}
    assert texts(document["list"]) == ("x", "y")
    assert (integer(True), integer(3), integer("3"), integer(1.0)) == (None, 3, None, None)
    assert text("\ud800a\x1b") == "?a"
