# SPDX-License-Identifier: MIT
"""Paths that mean themselves, queries that keep everything."""

from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.serve.http.problems import Problem
from hwinfod.serve.http.target import parse_target


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [
        ("/", "/", {}),
        ("/v1/devices/0000:3b:00.0", "/v1/devices/0000:3b:00.0", {}),
        ("/v1/devices/GPU%2D1%3A0", "/v1/devices/GPU-1:0", {}),
        ("/%C3%A9t%C3%A9", "/été", {}),
        ("/%252e", "/%2e", {}),
        ("/a?", "/a", {}),
        ("/a?b", "/a", {"b": [""]}),
        ("/a?b=1&b=2&&c=", "/a", {"b": ["1", "2"], "c": [""]}),
        ("/a?collect[]=cpu&collect%5B%5D=memory", "/a", {"collect[]": ["cpu", "memory"]}),
        ("/a?x=1+2%2B3", "/a", {"x": ["1 2+3"]}),
        ("/a?x=a=b?c/../%2e", "/a", {"x": ["a=b?c/../."]}),
        ("/a..b/...", "/a..b/...", {}),
    ],
)
def test_targets(raw: str, path: str, query: dict[str, list[str]]) -> None:
    assert parse_target(raw) == (path, query)


@pytest.mark.parametrize(
    "raw",
    [
        *(
            "/..",
            "/.",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/%2e%2e/a",
            "/%2E",
            "/a%2eb",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
        ),
        *("/a%00", "/a%0a", "/a%7f", "/a%c2%85", "/%", "/%4", "/%zz", "/a%ff", "/%c0%ae", "/%+1"),
    ],
)
def test_a_path_that_means_two_things_is_not_found(raw: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_target(raw)
    assert refused.value.kind.status == 404


@pytest.mark.parametrize("raw", ["/?a=%", "/?a=%f", "/?%zz=1", "/?a=%ff"])
def test_a_query_that_cannot_be_read_is_malformed(raw: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_target(raw)
    assert refused.value.kind.status == 400


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60))
def test_only_problems_fly_and_no_path_climbs(text: str) -> None:
    try:
        path = parse_target("/" + text).path
    except Problem:
        return
    assert path.startswith("/")
    assert not {".", ".."} & set(path.split("/"))
    # Whoever decodes after us sees no more slashes than we do.
    assert path.count("/") == ("/" + text).partition("?")[0].count("/")


@given(st.dictionaries(st.text(min_size=1), st.lists(st.text(), min_size=1, max_size=3), max_size=4))
def test_a_query_comes_back_as_it_was_encoded(query: dict[str, list[str]]) -> None:
    try:
        encoded = urllib.parse.urlencode(query, doseq=True)
    except UnicodeEncodeError:  # a lone surrogate is no text
        return
    assert parse_target("/?" + encoded).query == query
