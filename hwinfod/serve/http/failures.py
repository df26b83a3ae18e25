# SPDX-License-Identifier: MIT
"""What fails is logged when it begins to fail and when it works again, not each time."""

from __future__ import annotations

import logging

_LOG = logging.getLogger(__name__)


class FailureLog:
    """One line for each change of state of each key; keys come from a closed set (route templates)."""

    __slots__ = ("failing",)

    def __init__(self) -> None:
        self.failing: set[str] = set()

    def failed(self, key: str, error: BaseException) -> None:
        if key not in self.failing:
            self.failing.add(key)
            _LOG.error("%s failed: %s", key, type(error).__name__, exc_info=error)

    def worked(self, key: str) -> None:
        if key in self.failing:
            self.failing.discard(key)
            _LOG.info("%s works again", key)
