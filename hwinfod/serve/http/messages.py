# SPDX-License-Identifier: MIT
"""What a handler gets and what it gives back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hwinfod.serve.http.negotiation import compress, is_worth_compressing

_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_ETAG = re.compile(r"[\x21\x23-\x7e]*")


class Peer(NamedTuple):
    """The process at the other end of a Unix socket, as it was when it connected (unix(7), SO_PEERCRED).

    `pid` is 0 when that process lives in a PID namespace we cannot see. `groups` are the supplementary ones.
    """

    pid: int
    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(slots=True)
class Request:
    """One request. Header names are lower case, repeated headers joined by ", " (RFC 9110 section 5.3).

    `peer` is None on TCP; `secure` says that the connection is TLS. Headers and query may be shared with
    other requests: read them, never write them.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    peer: Peer | None
    secure: bool


class Response:
    """One reply: a body of bytes, or a stream of chunks that ends when its iterator does.

    A stream tells what happens (NDJSON), and who does not keep up with it is cut; one that `ends` is a document made in
    parts, and its client may take its time.

    A Response may be kept and returned again, and should be where the body is: its compressed twin and its
    header bytes are made once and stay with it. After the first use it must not be changed.
    `etag` is an opaque string without quotes; `headers` override what every reply carries.
    Raises ValueError for a header that would end the line it stands in.
    """

    __slots__ = (
        "_gzipped",
        "body",
        "compressible",
        "content_type",
        "ends",
        "etag",
        "header_blocks",
        "headers",
        "status",
        "stream",
    )

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"",
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        etag: str = "",
        compressible: bool = False,
        stream: AsyncIterator[bytes] | None = None,
        ends: bool = False,
    ) -> None:
        if headers:
            check_headers(headers)
        if not _VALUE.fullmatch(content_type) or not _ETAG.fullmatch(etag):
            raise ValueError(f"not a header value: {content_type!r}, {etag!r}")
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers or {}
        self.etag = etag
        self.compressible = compressible and stream is None and is_worth_compressing(body)
        self.stream = stream
        self.ends = ends
        self.header_blocks: dict[object, bytes] = {}
        self._gzipped: bytes | None = None

    @property
    def gzipped(self) -> bytes:
        """The body for clients that accept gzip, compressed when it is first asked for."""
        if self._gzipped is None:
            self._gzipped = compress(self.body)
        return self._gzipped


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises ValueError for a name or a value that cannot stand in a head (RFC 9110 section 5.5)."""
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"not a header: {name!r}: {value!r}")
