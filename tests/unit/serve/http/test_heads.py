# SPDX-License-Identifier: MIT
"""Heads as handlers see them, and the memo."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.serve.http import heads
from hwinfod.serve.http.heads import HeadMemo, parse_head
from hwinfod.serve.http.problems import Problem
from tests.support.http_service import get


def test_a_whole_head() -> None:
    head = parse_head(
        b"POST /v1/x%3Ay?a=1 HTTP/1.1\r\nHost: hwinfod\r\nACCEPT: a\r\naccept: b\r\nX-Latin: \xe9t\xe9\r\n"
        b"Content-Length: 007\r\nExpect: 100-continue\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    assert (head.method, head.path, head.query) == ("POST", "/v1/x:y", {"a": ["1"]})
    assert head.headers["accept"] == "a, b"
    assert head.headers["x-latin"] == "été"
    assert head.body_bytes == 7
    assert head.is_http_1_1
    assert head.keeps_alive
    assert head.expects_continue
    assert head.accepts_gzip


@pytest.mark.parametrize(
    ("raw", "keeps_alive"),
    [
        (get("/"), True),
        (get("/", "Connection: close"), False),
        (get("/", "Connection: Upgrade, Close"), False),
        (get("/", "Connection: keep-alive"), True),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
    ],
)
def test_keep_alive(raw: bytes, keeps_alive: bool) -> None:
    assert parse_head(raw).keeps_alive is keeps_alive


def test_an_http_1_0_client_expects_no_continue() -> None:
    assert not parse_head(b"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n").expects_continue


def test_http_1_1_wants_a_host() -> None:
    with pytest.raises(Problem) as refused:
        parse_head(b"GET / HTTP/1.1\r\n\r\n")
    assert refused.value.kind.status == 400


@given(
    st.one_of(
        st.binary(max_size=300),
        st.builds(lambda a, b: b"GET /" + a + b" HTTP/1.1\r\nHost: a\r\n" + b + b"\r\n\r\n", st.binary(), st.binary()),
        st.from_regex(rb"\A[A-Z]{1,5} /[!-~]{0,40} HTTP/1\.[01]\r\n(?:[A-Za-z-]{1,20}: [ -~]{0,30}\r\n){0,5}\r\n\Z"),
    )
)
def test_only_problems_fly(raw: bytes) -> None:
    try:
        head = parse_head(raw)
    except Problem:
        return
    assert head.path.startswith("/")
    assert all(name == name.lower() for name in head.headers)
    assert 0 <= head.body_bytes <= 65536


def test_the_memo_gives_the_same_head_for_the_same_bytes() -> None:
    memo = HeadMemo()
    assert memo.parse(get("/a")) is memo.parse(get("/a"))
    assert memo.parse(get("/b")).path == "/b"


def test_the_memo_is_bounded() -> None:
    memo = HeadMemo()
    for n in range(1000):
        assert memo.parse(get(f"/{n}")).path == f"/{n}"
        assert len(memo.known) <= heads._REMEMBERED_HEADS
    memo.parse(get("/" + "a" * 3000))
    assert all(len(raw) <= heads._REMEMBERED_BYTES for raw in memo.known)


def test_a_refused_head_is_not_remembered() -> None:
    memo = HeadMemo()
    for _ in range(2):
        with pytest.raises(Problem):
            memo.parse(b"GET / HTTP/1.1\r\n\r\n")
    assert not memo.known
