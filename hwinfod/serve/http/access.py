# SPDX-License-Identifier: MIT
"""What a listener asks of whoever keeps its TLS, passwords and extra headers (the web config file)."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from hwinfod.serve.http.messages import Request

if TYPE_CHECKING:
    import ssl


class WebAccess(Protocol):
    """Asked for each connection and each request, so that a rotated file is in force at once."""

    def tls_context(self) -> ssl.SSLContext | None:
        """The context for the next connection; None for plain HTTP."""

    def accepts_certificate(self, certificate: Mapping[str, Any] | None) -> bool:
        """Whether a client with this verified certificate (`SSLSocket.getpeercert()`) may stay."""

    def common_headers(self) -> Mapping[str, str]:
        """Headers for every reply; the same object until they change."""

    def admit(self, request: Request) -> Awaitable[None] | None:
        """Raise Problem for who may not enter; an awaitable that may, when that is not known at once."""
