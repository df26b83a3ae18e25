# SPDX-License-Identifier: MIT
"""Since when owners hold something. Processes come and go while their owner stays: a job may hold a GPU for days by
ones that live for half a minute each."""

from __future__ import annotations

MOST_OWNERS = 8_192
_REMEMBERED_NS = 300 * 10**9  # longer than a worker takes to be started again


class Ages:
    """By owner id, the start of the first process that was seen: kept while the owner holds something, and for some
    minutes after. For one thread."""

    def __init__(self, limit: int = MOST_OWNERS) -> None:
        self._limit = limit
        self._known: dict[str, tuple[int, int]] = {}  # start and when it was seen last, the longest unseen first

    def since(self, owner: str, start_ns: int, now_ns: int) -> int:
        """When the owner began, by what was seen before and by the oldest process that it has now."""
        first = min(start_ns, self._known.pop(owner, (start_ns, 0))[0])
        self._known[owner] = (first, now_ns)
        return first

    def forget(self, now_ns: int) -> None:
        """Those that are gone, and beyond the limit those that were not seen for longest."""
        while self._known:
            owner, (_, seen_ns) = next(iter(self._known.items()))
            if len(self._known) <= self._limit and seen_ns >= now_ns - _REMEMBERED_NS:
                return
            del self._known[owner]
