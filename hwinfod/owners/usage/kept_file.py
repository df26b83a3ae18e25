# SPDX-License-Identifier: MIT
"""One file of a cgroup, kept open while the cgroup lives, and parsed when its bytes are new ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Generic, TypeVar

from hwinfod.errors import ReadError
from hwinfod.sources.files import PAGE, Attribute, read_on

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class KeptFile(Attribute, Generic[T]):
    """A file at a path, "" where no hierarchy has the controller, and what it says where it says nothing. One that
    `keeps` has a descriptor open."""

    __slots__ = ("_data", "_is_off", "_keeps", "_nothing", "_parse", "_said")

    def __init__(self, path: str, parse: Callable[[bytes], T], nothing: T, *, keeps: bool) -> None:
        super().__init__(path)
        self._parse = parse
        self._nothing = self._said = nothing
        self._keeps = keeps
        self._is_off = not path
        self._data: bytes | None = None

    def value(self) -> T:
        """What it says now: the same object while the bytes are the same. Raises ParseError."""
        if self._is_off:
            return self._nothing
        try:
            data = os.pread(self._fd, PAGE, 0)  # read by the thousand: `read` is for the first time
            if len(data) == PAGE:
                data = read_on(self._fd, data)
        except OSError:
            try:
                data = self.read()
            except ReadError:
                self._is_off, self._data, self._said = True, None, self._nothing
                return self._nothing
            if not self._keeps:
                self.close()
        if data != self._data:
            self._said, self._data = self._parse(data), data
        return self._said

    def look_again(self) -> None:
        """What was not there may have come: systemd turns controllers on when a neighbour wants one."""
        self._is_off = not self.path
