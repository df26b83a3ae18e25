# SPDX-License-Identifier: MIT
"""Where sources hang out their latest snapshot for others to read: one entry a source, each replaced as a whole."""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


class Board(Generic[T]):
    """The latest snapshot of every source. Any lane publishes its own; anyone reads `current` without waiting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.current: Mapping[str, T] = MappingProxyType({})

    def publish(self, source: str, snapshot: T) -> None:
        """Replaces what the source said before."""
        with self._lock:
            self.current = MappingProxyType({**self.current, source: snapshot})

    def withdraw(self, source: str) -> None:
        """The source is not read any more."""
        with self._lock:
            self.current = MappingProxyType({k: v for k, v in self.current.items() if k != source})
