# SPDX-License-Identifier: MIT
"""The bytes of replies, and what every one of them carries."""

from __future__ import annotations

import email.utils
import json

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.serve.http import Response, problems
from hwinfod.serve.http.heads import parse_head
from hwinfod.serve.http.problems import KINDS, Problem
from hwinfod.serve.http.replies import ReplyEncoder, format_date, problem_response
from tests.support.http_service import START, FakeClock, get

LONG = b"a line of text\n" * 200


def headers_of(raw: bytes) -> dict[str, str]:
    """The header fields of a reply's head, as h11 reads them."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    client.receive_data(raw)
    event = client.next_event()
    assert isinstance(event, h11.Response)
    return {name.decode(): value.decode("latin-1") for name, value in event.headers}


def encode(
    response: Response, request: bytes, encoder: ReplyEncoder | None = None
) -> tuple[str, dict[str, str], bytes]:
    head = parse_head(request)
    encoder = encoder or ReplyEncoder(lambda: START)
    start, body = encoder.encode(head, response, close=not head.keeps_alive)
    return start.decode("latin-1").split("\r\n")[0], headers_of(start), body


def test_what_every_reply_carries() -> None:
    line, headers, body = encode(Response(200, b"{}"), get("/"))
    assert line == "HTTP/1.1 200 OK"
    assert headers == {
        "date": "Tue, 14 Nov 2023 22:13:20 GMT",
        "server": "hwinfod",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'",
        "cache-control": "no-store",
        "content-type": "application/json",
        "content-length": "2",
    }
    assert body == b"{}"


def test_a_page_overrides_and_common_headers_lie_between() -> None:
    encoder = ReplyEncoder(lambda: START)
    page = Response(200, b"", headers={"Content-Security-Policy": "style-src 'unsafe-inline'"})
    encoder.set_common_headers({"Content-Security-Policy": "script-src 'self'", "X-Frame-Options": "deny"})
    assert encode(page, get("/"), encoder)[1]["content-security-policy"] == "style-src 'unsafe-inline'"
    headers = encode(Response(), get("/"), encoder)[1]
    assert headers["content-security-policy"] == "script-src 'self'"
    assert headers["x-frame-options"] == "deny"
    assert headers["x-content-type-options"] == "nosniff"


def test_a_kept_response_gets_new_common_headers() -> None:
    encoder = ReplyEncoder(lambda: START)
    kept = Response(200, b"x")
    assert "x-frame-options" not in encode(kept, get("/"), encoder)[1]
    encoder.set_common_headers({"X-Frame-Options": "deny"})
    assert encode(kept, get("/"), encoder)[1]["x-frame-options"] == "deny"
    assert "x-frame-options" not in encode(kept, get("/"))[1]


def test_head_has_the_headers_of_get_and_no_body() -> None:
    response = Response(200, LONG, compressible=True, etag="a")
    for accept in ("", "gzip"):
        _, of_get, body = encode(response, get("/", f"Accept-Encoding: {accept}"))
        head = get("/", f"Accept-Encoding: {accept}").replace(b"GET", b"HEAD")
        assert encode(response, head)[1:] == (of_get, b"")
        assert int(of_get["content-length"]) == len(body) > 0


def test_gzip_when_asked() -> None:
    response = Response(200, LONG, compressible=True, etag="7")
    _, plain, body = encode(response, get("/"))
    assert (plain["vary"], plain["etag"], body) == ("accept-encoding", '"7"', LONG)
    assert "content-encoding" not in plain
    _, packed, body = encode(response, get("/", "Accept-Encoding: gzip"))
    assert (packed["vary"], packed["etag"], packed["content-encoding"]) == ("accept-encoding", '"7-gzip"', "gzip")
    assert body is response.gzipped
    assert len(body) < len(LONG)


def test_a_body_is_compressed_once() -> None:
    response = Response(200, LONG, compressible=True)
    assert (
        encode(response, get("/", "Accept-Encoding: gzip"))[2] is encode(response, get("/", "Accept-Encoding: gzip"))[2]
    )


def test_what_is_small_or_not_compressible_stays_plain() -> None:
    for response in (Response(200, b"small", compressible=True), Response(200, LONG)):
        _, headers, body = encode(response, get("/", "Accept-Encoding: gzip"))
        assert body == response.body
        assert "vary" not in headers


@pytest.mark.parametrize("tag", ['"7"', '"7-gzip"', 'W/"7"', "*"])
def test_not_modified(tag: str) -> None:
    encoder = ReplyEncoder(lambda: START)
    response = Response(200, LONG, compressible=True, etag="7")
    assert encode(response, get("/"), encoder)[2] == LONG
    line, headers, body = encode(response, get("/", f"If-None-Match: {tag}"), encoder)
    assert (line, body) == ("HTTP/1.1 304 Not Modified", b"")
    assert headers["etag"] == '"7"'
    assert headers["vary"] == "accept-encoding"
    assert headers["cache-control"] == "no-store"
    assert "content-length" not in headers
    assert "content-type" not in headers
    assert encode(response, get("/"), encoder)[1]["content-length"] == str(len(LONG))


@pytest.mark.parametrize(
    ("response", "tag"),
    [(Response(200, b"x", etag="7"), '"8"'), (Response(200, b"x"), "*"), (Response(404, b"x", etag="7"), '"7"')],
)
def test_modified(response: Response, tag: str) -> None:
    assert encode(response, get("/", f"If-None-Match: {tag}"))[2] == b"x"


def test_streams_are_chunked_for_http_1_1_and_end_with_the_connection_for_1_0() -> None:
    async def stream():
        yield b"never sent here"

    response = Response(200, content_type="application/x-ndjson", stream=stream())
    _, headers, body = encode(response, get("/"))
    assert (headers["transfer-encoding"], body) == ("chunked", b"")
    assert "content-length" not in headers
    start, _ = ReplyEncoder(lambda: START).encode(parse_head(b"GET / HTTP/1.0\r\n\r\n"), response, close=True)
    assert b"Transfer-Encoding" not in start
    assert b"Connection: close\r\n" in start


def test_the_date_moves_with_the_wall_clock() -> None:
    wall = FakeClock(START)
    encoder = ReplyEncoder(wall)
    kept = Response(200, b"x")
    dates = []
    for seconds in (0.0, 0.5, 0.5, 3600.0):
        wall.advance(seconds)
        dates.append(encode(kept, get("/"), encoder)[1]["date"][17:])
    assert dates == ["22:13:20 GMT", "22:13:20 GMT", "22:13:21 GMT", "23:13:21 GMT"]


@given(st.integers(0, 253_402_300_799))
def test_dates_are_as_the_standard_library_writes_them(seconds: int) -> None:
    assert format_date(seconds) == email.utils.formatdate(seconds, usegmt=True)


def test_problems_are_rfc_9457_documents() -> None:
    problem = Problem(problems.INVALID_INPUT, "step must be positive", hint="try step=10", headers={"Retry-After": "1"})
    response = problem_response(problem)
    assert response.status == 400
    assert response.content_type == "application/problem+json"
    assert response.headers == {"Retry-After": "1"}
    assert json.loads(response.body) == {
        "type": "urn:hwinfod:problem:invalid-input",
        "title": "The request asks for something that cannot be",
        "status": 400,
        "detail": "step must be positive",
        "hint": "try step=10",
    }


def test_a_problem_shows_no_markup() -> None:
    body = problem_response(Problem(problems.INVALID_INPUT, "<script>&", hint="</script>")).body
    assert not set(b"<>&") & set(body)
    assert json.loads(body)["detail"] == "<script>&"


def test_the_table_of_problems_is_whole() -> None:
    table = [kind for name, kind in vars(problems).items() if isinstance(kind, problems.Kind)]
    assert set(KINDS) == set(table)
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert 400 <= kind.status <= 599
        refusal = ReplyEncoder(lambda: START).encode_refusal(Problem(kind))
        headers = headers_of(refusal)
        assert (headers["connection"], headers["content-type"]) == ("close", "application/problem+json")
        assert b"Unknown" not in refusal.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "arguments",
    [
        {"headers": {"X": "a\r\nSet-Cookie: b"}},
        {"headers": {"X: y": "a"}},
        {"headers": {"X": "\x00"}},
        {"content_type": "text/plain\n"},
        {"etag": 'a"b'},
        {"etag": "a b"},
    ],
)
def test_a_response_cannot_split_its_head(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="header"):
        Response(200, b"", **arguments)


def test_common_headers_cannot_split_a_head() -> None:
    with pytest.raises(ValueError, match="header"):
        ReplyEncoder().set_common_headers({"X-Frame-Options": "deny\r\n"})
