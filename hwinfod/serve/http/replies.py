# SPDX-License-Identifier: MIT
"""Responses to bytes: status line, headers, framing. Source: RFC 9112 sections 4 and 6, RFC 9110 section 15."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from hwinfod.serve.http.heads import Head
from hwinfod.serve.http.messages import Response, check_headers
from hwinfod.serve.http.negotiation import entity_tag, etag_matches
from hwinfod.serve.http.problems import Problem

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}
_BODILESS = frozenset({204, 304})
_DEFAULTS = {
    "server": "hwinfod",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'",
    "cache-control": "no-store",
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_date(seconds: float) -> str:
    """An IMF-fixdate (RFC 9110 section 5.6.7): English whatever the locale, and without the email package."""
    t = time.gmtime(seconds)
    day, month = _DAYS[t.tm_wday], _MONTHS[t.tm_mon - 1]
    return f"{day}, {t.tm_mday:02} {month} {t.tm_year:04} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"


def problem_response(problem: Problem) -> Response:
    """A Problem as application/problem+json (RFC 9457); `hint` is our extension member."""
    kind = problem.kind
    members = {"type": kind.type_uri, "title": kind.title, "status": kind.status}
    if problem.detail:
        members["detail"] = problem.detail
    if problem.hint:
        members["hint"] = problem.hint
    text = json.dumps(members)
    # A message of a route may name the user's input; no reader of it, however careless, shall see markup.
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Response(kind.status, f"{text}\n".encode(), content_type="application/problem+json", headers=problem.headers)


class ReplyEncoder:
    """The bytes of replies of one listener: its common headers, and the date made once a second."""

    __slots__ = ("_common", "_starts", "_starts_second", "_wall_clock")

    def __init__(self, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self._starts: dict[tuple[int, bool], bytes] = {}
        self._starts_second = -1
        self.set_common_headers({})

    def set_common_headers(self, headers: Mapping[str, str]) -> None:
        """Headers for every reply over the built-in ones. A Response's own go over both."""
        # A new object each time: header blocks that a kept Response made with the old one no longer match.
        check_headers(headers)
        self._common = _CommonHeaders({**_DEFAULTS, **{name.lower(): value for name, value in headers.items()}})

    def encode(self, head: Head, response: Response, *, close: bool) -> tuple[bytes, bytes]:
        """The head of the reply, and the body to send after it (none for HEAD, 204, 304 and streams)."""
        status = response.status
        if status == 200 and response.etag and etag_matches(head.headers.get("if-none-match", ""), response.etag):
            status = 304
        gzip = head.accepts_gzip and response.compressible
        start = self._start(status, close) + self._header_block(response, status, gzip)
        if response.stream is not None:
            chunked = head.is_http_1_1 and head.method != "HEAD"
            return start + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"\r\n"), b""
        if head.method == "HEAD" or status in _BODILESS:
            return start, b""
        return start, response.gzipped if gzip else response.body

    def encode_refusal(self, problem: Problem) -> bytes:
        """The whole reply to a request that could not be read; the connection closes after it."""
        response = problem_response(problem)
        status = response.status
        return self._start(status, close=True) + self._header_block(response, status, gzip=False) + response.body

    def _start(self, status: int, close: bool) -> bytes:
        second = int(self._wall_clock())
        if second != self._starts_second:
            self._starts.clear()
            self._starts_second = second
        start = self._starts.get((status, close))
        if start is None:
            lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}", f"Date: {format_date(second)}"]
            if close:
                lines.append("Connection: close")
            start = self._starts[status, close] = "\r\n".join([*lines, ""]).encode("ascii")
        return start

    def _header_block(self, response: Response, status: int, gzip: bool) -> bytes:
        key = (self._common, status, gzip)
        block = response.header_blocks.get(key)
        if block is None:
            block = response.header_blocks[key] = _make_header_block(self._common, response, status, gzip)
        return block


class _CommonHeaders:
    """Compared by identity, so that it is a cheap key of what was made with it."""

    __slots__ = ("headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers


def _make_header_block(common: _CommonHeaders, response: Response, status: int, gzip: bool) -> bytes:
    """All header lines but the first; with the empty line, where the body's length is known."""
    headers = dict(common.headers)
    if status not in _BODILESS:
        headers["content-type"] = response.content_type
        if gzip:
            headers["content-encoding"] = "gzip"
    if response.compressible:
        headers["vary"] = "accept-encoding"
    if response.etag:
        headers["etag"] = entity_tag(response.etag, gzip=gzip)
    headers.update((name.lower(), value) for name, value in response.headers.items())
    if status not in _BODILESS and response.stream is None:
        headers["content-length"] = str(len(response.gzipped if gzip else response.body))
    block = "".join(f"{name.title()}: {value}\r\n" for name, value in headers.items())
    return block.encode("latin-1") + (b"" if response.stream is not None else b"\r\n")
