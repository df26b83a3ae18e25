# SPDX-License-Identifier: MIT
"""Request heads: guarded, parsed by h11, and remembered, since a client asks with the same bytes every time.

Parsing is a pure function of the head's bytes and costs about 100 us; Prometheus and hwinfoctl send one and the
same head for hours. A bounded memo keyed by the whole head makes the second one cost a dictionary look-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import h11

from hwinfod.serve.http import guard, problems
from hwinfod.serve.http.negotiation import accepts_gzip
from hwinfod.serve.http.problems import Problem
from hwinfod.serve.http.target import parse_target

_REMEMBERED_HEADS = 64
_REMEMBERED_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Head:
    """A parsed request head, shared by all requests that sent these bytes."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body_bytes: int
    is_http_1_1: bool
    keeps_alive: bool
    expects_continue: bool
    accepts_gzip: bool


def parse_head(raw: bytes) -> Head:
    """A whole head, its closing empty line included. Raises Problem, and nothing else."""
    guard.check_head(raw)
    event = _parse_by_h11(raw)
    headers: dict[str, str] = {}
    for name_bytes, value_bytes in event.headers:
        name, value = name_bytes.decode("ascii"), value_bytes.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    target = parse_target(event.target.decode("ascii"))
    is_http_1_1 = event.http_version == b"1.1"
    connection = {option.strip() for option in headers.get("connection", "").lower().split(",")}
    return Head(
        method=event.method.decode("ascii"),
        path=target.path,
        query=target.query,
        headers=headers,
        body_bytes=int(headers.get("content-length", "0")),
        is_http_1_1=is_http_1_1,
        keeps_alive=is_http_1_1 and "close" not in connection,
        expects_continue=is_http_1_1 and "expect" in headers,
        accepts_gzip=accepts_gzip(headers.get("accept-encoding", "")),
    )


def _parse_by_h11(raw: bytes) -> h11.Request:
    machine = h11.Connection(h11.SERVER, max_incomplete_event_size=guard.HEAD_BYTES)
    try:
        machine.receive_data(raw)
        event = machine.next_event()
    except h11.RemoteProtocolError:
        # h11's own text quotes the request. What is left for it to find after the guard is the Host header.
        raise Problem(problems.MALFORMED_REQUEST, "HTTP/1.1 wants one Host header") from None
    if not isinstance(event, h11.Request):
        raise Problem(problems.MALFORMED_REQUEST)
    return event


class HeadMemo:
    """The heads that were seen last, by their bytes. Bounded in number and in size."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[bytes, Head] = {}

    def parse(self, raw: bytes) -> Head:
        """As `parse_head`, remembered. Raises Problem."""
        head = self.known.get(raw)
        if head is None:
            head = parse_head(raw)
            if len(raw) <= _REMEMBERED_BYTES:
                if len(self.known) >= _REMEMBERED_HEADS:
                    self.known.clear()
                self.known[raw] = head
        return head
