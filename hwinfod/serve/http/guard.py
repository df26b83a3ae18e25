# SPDX-License-Identifier: MIT
"""What a request head must be before anything looks into it: a whitelist on the raw bytes.

Two parsers that read one head differently are how requests are smuggled. h11 is lenient where RFC 9112 lets it
be (bare LF, folded lines, repeated Content-Length, control characters), so that the guard comes first and knows
one form only. Nothing here needs a connection; a `Problem` raised here never carries bytes of the request.
Source: RFC 9112 sections 2 to 6, RFC 9110 section 5.
"""

from __future__ import annotations

import re

from hwinfod.serve.http import problems
from hwinfod.serve.http.problems import Kind, Problem

HEAD_BYTES = 8 << 10
TARGET_BYTES = 4 << 10
BODY_BYTES = 64 << 10
HEADER_COUNT = 100

_TOKEN = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]"
_REQUEST_LINE = re.compile(_TOKEN + rb"{1,32} (/[\x21\x22\x24-\x7e]*) HTTP/1\.[01]")
_HEADER_LINE = re.compile(rb"(" + _TOKEN + rb"+):([\t\x20-\x7e\x80-\xff]*)")
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_METHOD_START = re.compile(_TOKEN + rb"{1,32}( |\Z)")
# NUL, a CR without its LF, an LF without its CR; a CR at the very end may still get its LF.
_FOREIGN_BYTE = re.compile(rb"\x00|\r(?!\n|\Z)|(?<!\r)\n")

# Said twice, each of these is a request that means two things.
_ONLY_ONCE = frozenset({b"authorization", b"content-length", b"content-type", b"expect", b"host"})
_REFUSED_CODINGS = {b"transfer-encoding": problems.TRANSFER_CODING, b"content-encoding": problems.CONTENT_CODING}


def check_start(start: bytes) -> None:
    """Refuse a head of which only the start is here, as early as it can be known to be bad.

    Raises Problem; returning says "it may still become a head".
    """
    line, crlf, _ = start.partition(b"\r\n")
    if not _METHOD_START.match(line):
        raise _malformed("the request line does not begin with a method")
    _check_bytes(start)
    if crlf:
        _check_request_line(line)
    elif len(line.partition(b" ")[2]) > TARGET_BYTES + len(" HTTP/1.1\r"):
        raise _too_large(problems.TARGET_TOO_LONG, TARGET_BYTES)
    if len(start) > HEAD_BYTES:
        raise _too_large(problems.HEAD_TOO_LARGE, HEAD_BYTES)


def check_head(head: bytes) -> None:
    """Refuse a whole head, its closing empty line included. Raises Problem."""
    if not head.endswith(b"\r\n\r\n"):
        raise _malformed("the head does not end with an empty line")
    _check_bytes(head)
    request_line, *lines = head[:-4].split(b"\r\n")
    _check_request_line(request_line)
    if len(head) > HEAD_BYTES or len(lines) > HEADER_COUNT:
        raise _too_large(problems.HEAD_TOO_LARGE, HEAD_BYTES)
    seen: dict[bytes, bytes] = {}
    for line in lines:
        match = _HEADER_LINE.fullmatch(line)
        if match is None:
            folded = line[:1] in (b" ", b"\t")
            raise _malformed("a header is folded over lines" if folded else "a header line is not NAME: VALUE")
        name = match[1].lower()
        if name in seen and name in _ONLY_ONCE:
            raise _malformed("a header that may stand once stands twice")
        seen[name] = match[2].strip(b" \t")
    _check_framing(seen)


def _check_bytes(head: bytes) -> None:
    if _FOREIGN_BYTE.search(head):
        raise _malformed("lines end with CR LF; neither of these nor NUL stands anywhere else")


def _check_request_line(line: bytes) -> None:
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise _why_no_request_line(line)
    if len(match[1]) > TARGET_BYTES:
        raise _too_large(problems.TARGET_TOO_LONG, TARGET_BYTES)


def _why_no_request_line(line: bytes) -> Problem:
    target, _, version = line.partition(b" ")[2].rpartition(b" ")
    if len(target) > TARGET_BYTES:
        return _too_large(problems.TARGET_TOO_LONG, TARGET_BYTES)
    if not _VERSION.fullmatch(version) or version.startswith(b"HTTP/0"):
        return _malformed("the request line does not end with a version; HTTP/0.9 is not spoken here")
    if version not in (b"HTTP/1.0", b"HTTP/1.1"):
        return Problem(problems.HTTP_VERSION)
    if not target.startswith(b"/"):
        return _malformed("the request target is no path; this is not a proxy")
    return _malformed("the request line is not METHOD SP TARGET SP VERSION")


def _check_framing(headers: dict[bytes, bytes]) -> None:
    length = headers.get(b"content-length")
    if length is not None and b"transfer-encoding" in headers:
        raise _malformed("Content-Length and Transfer-Encoding exclude each other")
    for name, kind in _REFUSED_CODINGS.items():
        if name in headers:
            raise Problem(kind)
    if length is not None:
        if not length.isdigit():
            raise _malformed("Content-Length is not a decimal number")
        # Compared by digits first: int() of thousands of digits raises ValueError.
        digits = length.lstrip(b"0")
        if len(digits) > 9 or int(digits or b"0") > BODY_BYTES:
            raise _too_large(problems.BODY_TOO_LARGE, BODY_BYTES)
    expect = headers.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        raise Problem(problems.EXPECTATION_FAILED)


def _malformed(detail: str) -> Problem:
    return Problem(problems.MALFORMED_REQUEST, detail)


def _too_large(kind: Kind, limit: int) -> Problem:
    return Problem(kind, f"the limit is {limit} bytes")
