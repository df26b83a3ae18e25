# SPDX-License-Identifier: MIT
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.settings import (
    Address,
    Boolean,
    Choice,
    Duration,
    FilePath,
    Form,
    Integer,
    ListenAddress,
    ListOf,
    OrNone,
    Seconds,
    Size,
    Text,
)

PORTS = st.integers(0, 65535)

# Each form with a way to make its values.
FORMS: dict[str, tuple[Form[Any], st.SearchStrategy[Any]]] = {
    "boolean": (Boolean(), st.booleans()),
    "integer": (Integer(-5, 1 << 40), st.integers(-5, 1 << 40)),
    "text": (Text(), st.text().filter(str.isprintable)),
    "choice": (Choice("a", "b"), st.sampled_from(["a", "b"])),
    "duration": (Duration(0, 1e6), st.integers(0, 10**9).map(lambda number: number / 1000)),
    "seconds": (Seconds(0, 1e6), st.floats(0, 1e6)),
    "size": (Size(0, 1 << 50), st.integers(0, 1 << 50)),
    "path": (FilePath(), st.from_regex(r"/[^\0]{0,50}", fullmatch=True)),
    "address": (
        ListenAddress(),
        st.builds(Address, st.sampled_from(["", "::1", "fe80::1%eth0", "10.0.0.1", "gpu-7.example"]), PORTS),
    ),
    "addresses": (ListOf(ListenAddress()), st.lists(st.builds(Address, st.just("::"), PORTS)).map(tuple)),
    "maybe": (OrNone(FilePath()), st.sampled_from([None, "/a", "/b c"])),
}  # fmt: skip

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.times() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("name", FORMS)
@given(data=st.data())
def test_what_is_written_is_read_again(name: str, data: st.DataObject) -> None:
    form, values = FORMS[name]
    value = data.draw(values)
    toml = form.to_toml(value)
    assert form.from_toml(toml) == value


@pytest.mark.parametrize("name", sorted(FORMS.keys() - {"seconds"}))
@given(data=st.data())
def test_the_text_for_a_flag_is_read_again(name: str, data: st.DataObject) -> None:
    form, values = FORMS[name]
    value = data.draw(values)
    assert form.from_text(form.to_text(value)) == value


@pytest.mark.parametrize("name", FORMS)
@given(data=st.data())
def test_only_value_errors_fly(name: str, data: st.DataObject) -> None:
    form, _ = FORMS[name]
    for read, written in ((form.from_toml, ANYTHING), (form.from_text, st.text())):
        refusal = ""
        try:
            value = read(data.draw(written))
        except ValueError as error:
            refusal = str(error)
            assert refusal
        else:
            assert form.from_toml(form.to_toml(value)) == value
        assert refusal.isprintable()
        assert len(refusal) < 300


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("YES", True), ("on", True), ("1", True),
        ("False", False), ("no", False), ("off", False), ("0", False),
    ],
)  # fmt: skip
def test_boolean_words(text: str, value: bool) -> None:
    assert Boolean().from_text(text) is value


@pytest.mark.parametrize(
    ("form", "written", "problem"),
    [
        (Boolean(), "true", 'expected true or false, found "true"'),
        (Boolean(), 1, "expected true or false, found 1"),
        (Integer(1, 9), True, "expected a whole number from 1 to 9, found true"),
        (Integer(1, 9), 10, "expected a whole number from 1 to 9, found 10"),
        (Integer(1, 9), 2.0, "expected a whole number from 1 to 9, found 2.0"),
        (Integer(1, 9), "3", 'expected a whole number from 1 to 9, found "3"'),
        (Integer(1, 9), 1 << 2000, "expected a whole number from 1 to 9, found a number of more than 64 bits"),
        (Choice("open", "own"), "opn", 'expected one of open, own, found "opn"'),
        (Text(), "bell\a", 'expected a text of printable characters, found "bell\\x07"'),
        (Text(), ["a"], "expected a text of printable characters, found an array"),
        (ListOf(Text()), "a", 'expected an array, each item a text of printable characters, found "a"'),
        (ListOf(Text()), ["a", 1], "expected a text of printable characters, found 1"),
        (OrNone(Text()), {}, 'expected a text of printable characters, found a section'),
        (Seconds(1, 60), float("nan"), 'expected a time such as "15m" or 30, from 1s to 1m, found nan'),
        (Seconds(1, 60), 1 << 2000,
         'expected a time such as "15m" or 30, from 1s to 1m, found a number of more than 64 bits'),
        (Duration(1, 60), True, 'expected a time such as "15m" or 30, from 1s to 1m, found true'),
        (Size(1, 1 << 20), 1.5, 'expected a size such as "16MiB", from 1 to 1MiB, found 1.5'),
        (Size(1, 1 << 20), 2 << 20, 'expected a size such as "16MiB", from 1 to 1MiB, found 2097152'),
        (FilePath(), "etc/x", 'expected an absolute path of at most 4095 bytes, found "etc/x"'),
    ],
)  # fmt: skip
def test_refusals_say_what_was_expected_and_found(form: Form[Any], written: object, problem: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        form.from_toml(written)
    assert str(caught.value) == problem


@pytest.mark.parametrize("text", ["", "1_000", "٣", "+1", "1e3", "0x10", " 1", "-", "9" * 30])
def test_integers_are_plain_decimals(text: str) -> None:
    with pytest.raises(ValueError, match="expected a whole number"):
        Integer(0, 10000).from_text(text)


def test_a_repeated_flag_counts_last() -> None:
    assert Integer(0, 9).from_flags(["1", "2"]) == 2


def test_a_list_from_flags_a_variable_and_a_file() -> None:
    form = ListOf(ListenAddress())
    both = (Address("", 1), Address("::1", 2))
    assert form.from_flags([":1", "[::1]:2"]) == both
    assert form.from_text(":1, [::1]:2,") == both
    assert form.from_toml([":1", "[::1]:2"]) == both
    assert form.repeatable


def test_an_empty_flag_forgets_the_list_before_it() -> None:
    form = ListOf(Text())
    assert form.from_flags(["a", "", "b"]) == ("b",)
    assert form.from_flags(["a", ""]) == ()


def test_an_item_of_a_flag_may_have_a_comma() -> None:
    assert ListOf(Text()).from_flags(["a,b"]) == ("a,b",)


def test_the_empty_text_is_none() -> None:
    form = OrNone(FilePath())
    assert form.from_text("") is None
    assert form.from_toml("") is None
    assert form.from_toml("/x") == "/x"
