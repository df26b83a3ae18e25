# SPDX-License-Identifier: MIT
"""Replies are made once until what they show changes, and kept within bounds."""

from __future__ import annotations

from hwinfod.serve.http.messages import Response
from hwinfod.serve.kept_replies import KeptReplies


def asked(kept: KeptReplies, key: str, version: int = 1, size: int = 10) -> Response:
    return kept.reply(key, version, lambda: key[:1].encode() * size)


def test_a_reply_is_made_once_a_version() -> None:
    kept = KeptReplies("run", 4, 1000)
    first = asked(kept, "a")
    assert asked(kept, "a") is first
    again = asked(kept, "a", version=2, size=11)
    assert (again.body, again.etag != first.etag) == (b"a" * 11, True)
    assert asked(kept, "a", version=2) is again


def test_the_oldest_goes_where_there_are_too_many() -> None:
    kept = KeptReplies("run", 2, 1000)
    first, second, third = (asked(kept, key) for key in "abc")
    assert asked(kept, "b") is second
    assert asked(kept, "c") is third
    assert asked(kept, "a") is not first


def test_the_oldest_goes_where_they_are_too_large() -> None:
    kept = KeptReplies("run", 64, 25)
    first, *_, last = (asked(kept, key) for key in ("a1", "a2", "a3", "a4"))
    assert asked(kept, "a4") is last
    assert asked(kept, "a1") is not first
    assert sum(len(reply.body) for _, reply in kept._kept.values()) == kept._bytes <= 25


def test_a_reply_beyond_all_bounds_is_the_only_one() -> None:
    kept = KeptReplies("run", 64, 25)
    asked(kept, "a")
    large = asked(kept, "b", size=30)
    assert asked(kept, "b") is large
    assert (len(kept._kept), kept._bytes) == (1, 30)
    asked(kept, "a")
    assert (len(kept._kept), kept._bytes) == (1, 10)
