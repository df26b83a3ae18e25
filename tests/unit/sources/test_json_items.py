# SPDX-License-Identifier: MIT
from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.json_document import parse_json
from hwinfod.sources.json_items import parse_items

ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(),
    lambda item: st.lists(item) | st.dictionaries(st.text(), item),
)
DOCUMENTS = st.dictionaries(st.sampled_from(["items", "kind", "x"]), ANY)


def parse(data: bytes, most: int = 1000) -> tuple[dict[str, object], list[object]]:
    return parse_items(data, "items", lambda item: item, most)


@pytest.mark.parametrize(
    ("data", "frame", "items"),
    [
        (b'{"kind":"PodList","items":[1,{"a":[2]}]}', {"kind": "PodList"}, [1, {"a": [2]}]),
        (b' {\n "items" : [ ] ,\t"kind" : null } \r\n', {"kind": None}, []),
        (b'{"items":[1],"items":[2]}', {}, [2]),
        (b'{"items":null}', {"items": None}, []),
        (b'{"a":{"items":[1]}}', {"a": {"items": [1]}}, []),
        (b"{}", {}, []),
    ],
)
def test_documents(data: bytes, frame: dict[str, object], items: list[object]) -> None:
    assert parse(data) == (frame, items)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[1]", b"null", b"{", b'{"items"', b'{"items":', b'{"items":[', b'{"items":[1', b'{"items":[1}',
        b'{"items":[1,]}', b'{"items":[1],}', b'{"items":[1]}x', b'{"items":[1 2]}', b'{"a" 1}', b'{"items":[\xff]}',
        b'{1:2}', b'{"items":[' + b"[" * 200_000,
    ],
)  # fmt: skip
def test_what_is_no_document(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse(data)


def test_there_may_be_too_many() -> None:
    assert parse(b'{"items":[1,2,3],"kind":4}', most=2) == ({"kind": 4}, [1, 2])


@given(DOCUMENTS, st.sampled_from([None, 1]))
def test_the_same_as_of_the_whole_document(document: dict[str, object], indent: int | None) -> None:
    data = json.dumps(document, indent=indent).encode()
    items = document.get("items")
    frame = {key: value for key, value in document.items() if not (key == "items" and isinstance(value, list))}
    assert parse(data) == (frame, items if isinstance(items, list) else [])


@given(st.binary() | DOCUMENTS.map(lambda document: json.dumps(document)[1:].encode()) | st.text().map(str.encode)
       | st.text('{}[],:1"a ').map(lambda text: f'{{"items":[{text}'.encode()))  # fmt: skip
def test_only_what_is_a_document_is_read(data: bytes) -> None:
    try:
        parse(data)
    except ParseError:
        return
    assert isinstance(parse_json(data), dict)
