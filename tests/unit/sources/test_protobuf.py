# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib

import pytest
from google.protobuf import message
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources import protobuf
from hwinfod.sources.protobuf import decode, encode_bytes, encode_integer
from tests.support.protobuf import message_classes

# A tree with one field of every kind that is read here.
Tree = message_classes(
    "Tree: text=1 string, integer=2 int64, texts=3 *string, flag=4 bool, raw=18 bytes, fixed64=6 fixed64,"
    " fixed32=7 fixed32, packed=8 *int64, number=2047 uint32, child=9 Tree, children=10 *Tree, labels=11 map"
)["Tree"]
WORD = st.text("abcdefghijklmnopqrstuvwxyz-./0123456789äß", max_size=200)
LEAF = st.fixed_dictionaries(
    {
        "text": WORD,
        "integer": st.integers(-(2**63), 2**63 - 1),
        "texts": st.lists(WORD, max_size=4),
        "flag": st.booleans(),
        "raw": st.binary(max_size=40),
        "fixed64": st.integers(0, 2**64 - 1),
        "fixed32": st.integers(0, 2**32 - 1),
        "packed": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
        "number": st.integers(0, 2**32 - 1),
        "labels": st.dictionaries(WORD, WORD, max_size=4),
    }
)
TREE = st.recursive(
    LEAF,
    lambda child: st.builds(
        lambda leaf, one, many: leaf | {"child": one, "children": many}, LEAF, child, st.lists(child, max_size=3)
    ),
)


def build(value: dict[str, object]) -> message.Message:
    value = dict(value)
    child, children = value.pop("child", None), value.pop("children", [])
    tree = Tree(**value)
    if child is not None:
        tree.child.CopyFrom(build(child))
    tree.children.extend(build(item) for item in children)
    return tree


def check(found: protobuf.Message, value: dict[str, object]) -> None:
    assert found.text(1) == value["text"]
    assert found.integer(2) == value["integer"]
    assert found.texts(3) == value["texts"]
    assert found.integer(4) == value["flag"]
    assert found.raw(18) == value["raw"]
    assert found.integer(2047) == value["number"]
    assert found.mapping(11) == value["labels"]
    if "child" in value:
        check(found.message(9), value["child"])
        for one, other in zip(found.messages(10), value["children"], strict=True):
            check(one, other)


@given(TREE)
def test_what_google_writes_is_read(value: dict[str, object]) -> None:
    check(decode(build(value).SerializeToString()), value)


@given(WORD, st.integers(0, 2**63 - 1), st.lists(WORD), WORD)
def test_google_reads_what_is_written(text: str, integer: int, texts: list[str], child: str) -> None:
    tree = Tree()
    tree.ParseFromString(
        encode_bytes(1, text)
        + encode_integer(2, integer)
        + b"".join(encode_bytes(3, item) for item in texts)
        + encode_bytes(9, encode_bytes(1, child))
        + encode_integer(2047, integer & 0xFFFFFFFF)
    )
    assert (tree.text, tree.integer, list(tree.texts), tree.child.text) == (text, integer, texts, child)
    assert tree.number == integer & 0xFFFFFFFF


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        found = decode(data)
        for number in range(1, 20):
            found.text(number), found.texts(number), found.integer(number), found.raw(number)
            for read in (found.message, found.messages, found.mapping):
                with contextlib.suppress(ParseError):
                    read(number)


@given(TREE, st.data())
def test_a_torn_message_is_a_parse_error_or_shorter(value: dict[str, object], data: st.DataObject) -> None:
    whole = build(value).SerializeToString()
    torn = whole[: data.draw(st.integers(0, len(whole)))]
    try:
        ours = decode(torn)
    except ParseError:
        with pytest.raises(message.DecodeError):
            Tree.FromString(torn)
    else:
        assert ours.texts(3) == list(Tree.FromString(torn).texts)


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",  # a key without a value
        b"\x0a\x05abc",  # longer than what is there
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a length of 2^64 - 1
        b"\x08" + b"\xff" * 10,  # a varint of more than ten bytes
        b"\x00\x00",  # field 0
        b"\x0b\x0c",  # a group
        b"\x0e",  # wire type 6
        b"\x09\x00",  # half a fixed64
    ],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(ParseError):
        decode(data)


def test_the_number_of_fields_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MOST_FIELDS", 10)
    decode(b"\x08\x00" * 10)
    with pytest.raises(ParseError):
        decode(b"\x08\x00" * 11)


def test_the_last_of_a_field_counts_and_another_type_is_absent() -> None:
    found = decode(b"\x08\x01" + encode_bytes(1, "a") + encode_bytes(1, "b") + encode_integer(1, 7) + b"\x0d1234")
    assert (found.text(1), found.integer(1), found.text(2), found.integer(2)) == ("1234", 7, "", 0)
    assert decode(encode_bytes(3, "x")).integer(3) == 0
    assert decode(b"").message(5).text(1) == ""


def test_text_is_printable() -> None:
    assert decode(encode_bytes(1, b"a\x00\xff\x1b[2Jb")).text(1) == "a \N{REPLACEMENT CHARACTER} [2Jb"
