# SPDX-License-Identifier: MIT
"""Replies that are made once and given to all who ask, until what they show changes."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from hwinfod.serve.http.messages import Response

if TYPE_CHECKING:
    from collections.abc import Callable


class KeptReplies:
    """At most so many, and so many bytes of them: whoever asks for ever new excerpts must not fill the memory."""

    def __init__(self, instance: str, most: int, most_bytes: int) -> None:
        self._instance = instance
        self._most = most
        self._most_bytes = most_bytes
        self._kept: dict[object, tuple[object, Response]] = {}
        self._bytes = 0

    def reply(
        self, key: object, version: object, make: Callable[[], bytes], content_type: str = "application/json"
    ) -> Response:
        """The reply with this key as of this version, with the body that `make` makes where it is not kept."""
        kept = self._kept.get(key)
        if kept is not None and kept[0] == version:
            return kept[1]
        body = make()
        etag = f"{self._instance}-{zlib.crc32(body):08x}"
        response = Response(200, body, content_type=content_type, etag=etag, compressible=True)
        self._keep(key, version, response)
        return response

    def _keep(self, key: object, version: object, response: Response) -> None:
        """In the place of what was made longest ago."""
        self._forget(key)
        size = len(response.body)
        while self._kept and (len(self._kept) >= self._most or self._bytes + size > self._most_bytes):
            self._forget(next(iter(self._kept)))
        self._kept[key] = (version, response)
        self._bytes += size

    def _forget(self, key: object) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= len(kept[1].body)
