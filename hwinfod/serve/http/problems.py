# SPDX-License-Identifier: MIT
"""Everything that can go wrong with a request, in one table (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hwinfod.errors import HwinfodError


class Kind(NamedTuple):
    """One type of problem: its HTTP status, the last part of its type URN, and its title."""

    status: int
    name: str
    title: str

    @property
    def type_uri(self) -> str:
        return f"urn:hwinfod:problem:{self.name}"


MALFORMED_REQUEST = Kind(400, "malformed-request", "The request is not well-formed HTTP/1.1")
INVALID_INPUT = Kind(400, "invalid-input", "The request asks for something that cannot be")
AUTHENTICATION_REQUIRED = Kind(401, "authentication-required", "A user name and a password are required")
FORBIDDEN = Kind(403, "forbidden", "The request is not permitted")
NOT_FOUND = Kind(404, "not-found", "There is nothing at this path")
METHOD_NOT_ALLOWED = Kind(405, "method-not-allowed", "The method is not allowed at this path")
REQUEST_TIMEOUT = Kind(408, "request-timeout", "The request took too long to arrive")
CONFLICT = Kind(409, "conflict", "Something is under way that must end first")
BODY_TOO_LARGE = Kind(413, "body-too-large", "The request body is too large")
TARGET_TOO_LONG = Kind(414, "target-too-long", "The request target is too long")
CONTENT_CODING = Kind(415, "content-coding", "The request body may not be encoded")
EXPECTATION_FAILED = Kind(417, "expectation-failed", "The expectation cannot be met")
TOO_MANY_REQUESTS = Kind(429, "too-many-requests", "Requests come faster than the rate limit allows")
HEAD_TOO_LARGE = Kind(431, "head-too-large", "The request head is too large")
INTERNAL_ERROR = Kind(500, "internal-error", "The daemon failed to answer; its log says why")
TRANSFER_CODING = Kind(501, "transfer-coding", "Transfer codings are not supported")
UNAVAILABLE = Kind(503, "unavailable", "The daemon cannot answer right now")
HTTP_VERSION = Kind(505, "http-version", "Only HTTP/1.1 and HTTP/1.0 are spoken here")

KINDS = (
    MALFORMED_REQUEST,
    INVALID_INPUT,
    AUTHENTICATION_REQUIRED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    REQUEST_TIMEOUT,
    CONFLICT,
    BODY_TOO_LARGE,
    TARGET_TOO_LONG,
    CONTENT_CODING,
    EXPECTATION_FAILED,
    TOO_MANY_REQUESTS,
    HEAD_TOO_LARGE,
    INTERNAL_ERROR,
    TRANSFER_CODING,
    UNAVAILABLE,
    HTTP_VERSION,
)


class Problem(HwinfodError):
    """A request that gets an error reply. `detail` is what is wrong with this one, never bytes of it."""

    def __init__(
        self, kind: Kind, detail: str = "", *, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail or kind.title, hint=hint)
        self.kind = kind
        self.detail = detail
        self.headers = headers or {}
