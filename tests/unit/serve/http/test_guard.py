# SPDX-License-Identifier: MIT
"""Every malformed head that h11 would let pass, and every one that it would not."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.serve.http import guard
from hwinfod.serve.http.problems import Problem
from hwinfod.serve.http.replies import problem_response


def refusal(head: bytes, check: Callable[[bytes], None] = guard.check_head) -> Problem | None:
    """The problem of this head; None when it passes."""
    try:
        check(head)
    except Problem as problem:
        return problem
    return None


def status_of(head: bytes) -> int:
    """The status that refuses this head; 0 when it passes."""
    refused = refusal(head)
    return refused.kind.status if refused else 0


def head(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"\r\n".join([first, b"Host: hwinfod", *lines, b"", b""])


@pytest.mark.parametrize(
    "raw",
    [
        head(),
        head(first=b"GET /v1/series?name=hw_x&label=a%3Db HTTP/1.1"),
        head(first=b"GET /metrics?collect[]=cpu HTTP/1.0"),
        head(first=b"BREW /pot HTTP/1.1"),
        head(b"Content-Length: 0"),
        head(b"Content-Length: 65536"),
        head(b"Content-Length: 0000000000000000000000007"),
        head(b"Accept: a", b"Accept: b"),
        head(b"X-Tab:\ta\tb \t"),
        head(b"X-Empty:"),
        head(b"X-Latin: \xe9t\xe9"),
        head(b"Expect: 100-Continue"),
        head(first=b"GET /" + b"a" * 4095 + b" HTTP/1.1"),
        head(b"X: " + b"a" * (guard.HEAD_BYTES - len(head(b"X: ")))),
        head(*[b"X-%d: y" % n for n in range(99)]),
        b"GET / HTTP/1.0\r\n\r\n",
    ],
)
def test_a_well_formed_head_passes(raw: bytes) -> None:
    assert status_of(raw) == 0


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        # Line ends, and bytes that stand for one in some parser
        (400, b"GET / HTTP/1.1\nHost: hwinfod\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: hwinfod\nX: y\r\n\r\n"),
        (400, b"GET / HTTP/1.1\nHost: hwinfod\n\r\n\r\n"),
        (400, b"GET / HTTP/1.1\rHost: hwinfod\r\n\r\n"),
        (400, head(b"X: a\rb")),
        (400, head(b"X: a\x00b")),
        (400, head(b"X\x00: a")),
        (400, head(first=b"GET /\x00 HTTP/1.1")),
        (400, head(b"X: a\x0bb")),
        (400, head(b"X: a\x7f")),
        (400, head(b"X: a\x01")),
        # Folding
        (400, head(b"X: a", b" b")),
        (400, head(b"X: a", b"\tb")),
        (400, b"GET / HTTP/1.1\r\n Host: hwinfod\r\n\r\n"),
        # Header lines
        (400, head(b"X : a")),
        (400, head(b": a")),
        (400, head(b"no colon")),
        (400, head(b"X(y): a")),
        (400, head(b"\xc3\xa9: a")),
        (400, head(b"", b"X: a")),
        # Framing
        (400, head(b"Content-Length: 5", b"Content-Length: 5")),
        (400, head(b"Content-Length: 5", b"content-length: 6")),
        (400, head(b"Content-Length: 5, 5")),
        (400, head(b"Content-Length: +5")),
        (400, head(b"Content-Length: -5")),
        (400, head(b"Content-Length: 0x5")),
        (400, head(b"Content-Length: 5_0")),
        (400, head(b"Content-Length: 5 5")),
        (400, head(b"Content-Length:")),
        (400, head(b"Content-Length: \xb2")),
        (400, head(b"Content-Length: 5", b"Transfer-Encoding: chunked")),
        (400, head(b"Transfer-Encoding: chunked", b"Content-Length: 5")),
        (501, head(b"Transfer-Encoding: chunked")),
        (501, head(b"Transfer-Encoding: identity")),
        (501, head(b"transfer-encoding:\tchunked")),
        (501, head(b"Transfer-Encoding: gzip, chunked")),
        (415, head(b"Content-Encoding: gzip")),
        (415, head(b"Content-Encoding: identity")),
        (413, head(b"Content-Length: 65537")),
        (413, head(b"Content-Length: 99999999999999999999")),
        (413, head(b"Content-Length: " + b"9" * 5000)),
        (417, head(b"Expect: the-unexpected")),
        (400, head(b"Expect: 100-continue", b"Expect: 100-continue")),
        (400, head(b"Host: other")),
        (400, head(b"Authorization: Basic YQ==", b"Authorization: Basic Yg==")),
        # Request lines
        (400, b"\r\nGET / HTTP/1.1\r\nHost: hwinfod\r\n\r\n"),
        (400, b"\r\n\r\n"),
        (400, head(first=b"GET /")),
        (400, head(first=b"GET")),
        (400, head(first=b"GET  / HTTP/1.1")),
        (400, head(first=b"GET / HTTP/1.1 ")),
        (400, head(first=b" GET / HTTP/1.1")),
        (400, head(first=b"GET\t/\tHTTP/1.1")),
        (400, head(first=b"GET / http/1.1")),
        (400, head(first=b"GET / HTTP/1.1.1")),
        (400, head(first=b"GET / HTTP/11")),
        (400, head(first=b"G(T / HTTP/1.1")),
        (400, head(first=b"GET /a b HTTP/1.1")),
        (400, head(first=b"GET /#fragment HTTP/1.1")),
        (400, head(first=b"GET /\xe9t\xe9 HTTP/1.1")),
        (400, head(first=b"GET http://hwinfod/ HTTP/1.1")),
        (400, head(first=b"GET evil HTTP/1.1")),
        (400, head(first=b"OPTIONS * HTTP/1.1")),
        (400, head(first=b"CONNECT hwinfod:443 HTTP/1.1")),
        (400, head(first=b"A" * 33 + b" / HTTP/1.1")),
        (505, head(first=b"GET / HTTP/2.0")),
        (505, head(first=b"GET / HTTP/1.2")),
        (400, head(first=b"GET / HTTP/0.9")),
        (505, b"PRI * HTTP/2.0\r\n\r\n"),
        # Sizes
        (414, head(first=b"GET /" + b"a" * 4096 + b" HTTP/1.1")),
        (414, head(first=b"GET /" + b"a" * 9000 + b" HTTP/1.1")),
        (431, head(b"X: " + b"a" * (guard.HEAD_BYTES - len(head(b"X: ")) + 1))),
        (431, head(b"X: " + b"a" * 9216)),
        (431, head(*[b"X-%d: y" % n for n in range(100)])),
        # No head at all
        (400, b""),
        (400, b"GET / HTTP/1.1\r\nHost: hwinfod\r\n"),
    ],
)
def test_a_malformed_head_is_refused(status: int, raw: bytes) -> None:
    assert status_of(raw) == status


@pytest.mark.parametrize(
    ("status", "start"),
    [
        (400, b"\x16\x03\x01\x02\x00"),  # a TLS client on the plain port
        (400, b"\r\n"),
        (400, b"\n"),
        (400, b" "),
        (400, b"GET /\r\n"),  # HTTP/0.9: no head will ever end it
        (400, b"GET / HTTP/1.1\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\n\n"),
        (400, b"GET / HTTP/1.1\r\nX: \x00"),
        (400, b"A" * 33),
        (414, b"GET /" + b"a" * 4200),
        (431, head()[:-2] + b"X: " + b"a" * 9000),
        (505, b"PRI * HTTP/2.0\r\n"),
    ],
)
def test_the_start_of_a_head_is_refused_as_soon_as_it_is_known_to_be_bad(status: int, start: bytes) -> None:
    with pytest.raises(Problem) as refused:
        guard.check_start(start)
    assert refused.value.kind.status == status


def test_no_start_of_a_good_head_is_refused() -> None:
    whole = head(b"Accept: a, b", b"Content-Length: 12", first=b"POST /" + b"a" * 4000 + b" HTTP/1.1")
    for end in range(1, len(whole)):
        guard.check_start(whole[:end])


_PARTS = st.sampled_from(
    [
        *(b"GET ", b"/", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b":", b"Host: a"),
        *(b"X: y", b"Content-Length: 3", b"Transfer-Encoding: chunked", b"GET / HTTP/1.1\r\n", b"%2e", b"?", b"\xff"),
        b"a" * 3000,
    ]
)
_HEADS = st.one_of(st.binary(max_size=200), st.lists(_PARTS, max_size=12).map(b"".join))
# RFC 9112 again, by another way than the guard's: one expression over the whole head.
_STRICT = re.compile(rb"[!-~]+ /[!-~]* HTTP/1\.[01]\r\n(?:[!-9;-~]+:[\t -~\x80-\xff]*\r\n)*\r\n")


@given(_HEADS)
def test_what_passes_is_strict_http_and_nothing_but_problems_fly(raw: bytes) -> None:
    if status_of(raw) == 0:
        assert _STRICT.fullmatch(raw)
        assert len(raw) <= guard.HEAD_BYTES
        assert raw.lower().count(b"\r\ncontent-length:") <= 1
        assert b"\r\ntransfer-encoding" not in raw.lower()


@given(_HEADS)
def test_the_start_check_raises_problems_only(raw: bytes) -> None:
    refused = refusal(raw, guard.check_start)
    assert refused is None or refused.kind.status in (400, 414, 431, 505)


@given(_HEADS, st.binary(max_size=200))
def test_a_start_is_refused_only_if_no_continuation_could_pass(start: bytes, rest: bytes) -> None:
    if refusal(start, guard.check_start):
        assert status_of(start + rest) != 0


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_refusal_never_echoes_the_request(before: bytes, after: bytes) -> None:
    marker = b"zQx7\xc2\xa0"
    for raw in (before + marker + after + b"\r\n\r\n", head(before + marker + after), head(first=marker + after)):
        refused = refusal(raw)
        assert refused is None or b"zQx7" not in problem_response(refused).body
