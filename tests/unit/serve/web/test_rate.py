# SPDX-License-Identifier: MIT
"""The token bucket, by a clock that the test moves."""

from __future__ import annotations

import pytest

from hwinfod.serve.http.problems import Problem
from hwinfod.serve.web.config import RateLimit
from hwinfod.serve.web.rate import TokenBucket
from tests.support.http_service import FakeClock


def taken(bucket: TokenBucket) -> int:
    """How many requests pass now."""
    for count in range(1000):
        try:
            bucket.take()
        except Problem:
            return count
    return 1000


def test_a_burst_and_then_one_each_interval() -> None:
    clock = FakeClock()
    bucket = TokenBucket(RateLimit(0.5, 3), clock)
    counts = [taken(bucket)]
    for seconds in (0.25, 0.25, 1.0, 3600.0):
        clock.advance(seconds)
        counts.append(taken(bucket))
    assert counts == [3, 0, 1, 2, 3]


def test_a_refusal_says_when_to_come_again() -> None:
    bucket = TokenBucket(RateLimit(90.0, 1), FakeClock())
    bucket.take()
    with pytest.raises(Problem) as refused:
        bucket.take()
    assert refused.value.kind.status == 429
    assert refused.value.headers == {"retry-after": "90"}
