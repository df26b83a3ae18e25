# SPDX-License-Identifier: MIT
"""A token bucket over all requests of the listeners that share a web configuration."""

from __future__ import annotations

import math
from collections.abc import Callable

from hwinfod.serve.http import problems
from hwinfod.serve.http.problems import Problem
from hwinfod.serve.web.config import RateLimit


class TokenBucket:
    """`burst` requests at once, then one each `interval_seconds`."""

    __slots__ = ("_at", "_clock", "_tokens", "limit")

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self.limit = limit
        self._clock = clock
        self._at = clock()
        self._tokens = float(limit.burst)

    def take(self) -> None:
        """Raises Problem (too-many-requests) when no token is left."""
        now = self._clock()
        self._tokens = min(self.limit.burst, self._tokens + (now - self._at) / self.limit.interval_seconds)
        self._at = now
        if self._tokens < 1:
            seconds = math.ceil((1 - self._tokens) * self.limit.interval_seconds)
            raise Problem(problems.TOO_MANY_REQUESTS, headers={"retry-after": str(seconds)})
        self._tokens -= 1
