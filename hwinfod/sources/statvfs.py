# SPDX-License-Identifier: MIT
"""statvfs(2) on mounts that may hang for ever: a dead NFS server, a FUSE daemon that stopped.

A call that hangs cannot be ended. It is left to its thread, remembered, and that mount is not asked again
before it has answered: monitors that asked again each time have filled process tables
(node_exporter issues 244, 578 and 868).
"""

from __future__ import annotations

import errno
import os
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.errors import HwinfodError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Callable


class Hung(HwinfodError):
    """The file system does not answer. `since` is the CLOCK_MONOTONIC second it was asked."""

    def __init__(self, path: bytes, since: float) -> None:
        super().__init__(f"statvfs of {os.fsdecode(path)!r} does not return")
        self.since = since


class TooManyHung(HwinfodError):
    """As many calls hang as may: this mount is not asked."""


@dataclass(frozen=True, slots=True)
class Usage:
    """A file system's space in bytes and its inodes. `available_bytes` is what an ordinary user may still
    write, less than what is free; file systems that make inodes as needed have 0 of them."""

    limit_bytes: int
    free_bytes: int
    available_bytes: int
    inodes: int
    inodes_free: int
    is_read_only: bool


def usage_of(result: os.statvfs_result) -> Usage:
    """Source: statvfs(3); all block counts are in units of f_frsize."""
    return Usage(
        limit_bytes=result.f_blocks * result.f_frsize,
        free_bytes=result.f_bfree * result.f_frsize,
        available_bytes=result.f_bavail * result.f_frsize,
        inodes=result.f_files,
        inodes_free=result.f_ffree,
        is_read_only=bool(result.f_flag & os.ST_RDONLY),
    )


class _Question:
    """One call, made by a worker. `answered` is set when the call came back, however late."""

    __slots__ = ("answered", "asked_at", "outcome", "path")

    def __init__(self, path: bytes, asked_at: float) -> None:
        self.path = path
        self.asked_at = asked_at
        self.answered = threading.Event()
        self.outcome: os.statvfs_result | OSError = TimeoutError()


class _Worker:
    """A thread that answers questions until it is left."""

    def __init__(self, call: Callable[[bytes], os.statvfs_result]) -> None:
        self._call = call
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="statvfs", daemon=True).start()

    def ask(self, question: _Question) -> None:
        self._questions.put(question)

    def leave(self) -> None:
        """The thread ends when its call, if any, has returned."""
        self._questions.put(None)

    def _run(self) -> None:
        while True:
            question = self._questions.get()
            if question is None:
                return
            try:
                question.outcome = self._call(question.path)
            except OSError as error:
                question.outcome = error
            except ValueError:  # a NUL in the path
                question.outcome = OSError(errno.EINVAL, "not a path")
            question.answered.set()


class StatvfsProbe:
    """Asks mounts, one after the other, each at most `timeout_seconds`. Not for more than one thread.

    `limit` is how many calls may hang at once; when as many do, no other mount is asked either. Half of them are
    kept for local file systems, so that one dead server with many exports does not hide a full disk.
    """

    def __init__(
        self,
        timeout_seconds: float = 2.0,
        limit: int = 8,
        call: Callable[[bytes], os.statvfs_result] = os.statvfs,
    ) -> None:
        self.timeout_seconds = timeout_seconds
        self._limit = limit
        self._call = call
        self._hung: dict[bytes, _Question] = {}
        self._worker: _Worker | None = None

    def hung(self) -> frozenset[bytes]:
        """The paths whose call has not returned yet."""
        for path, question in list(self._hung.items()):
            if question.answered.is_set():
                del self._hung[path]
        return frozenset(self._hung)

    def read(self, path: bytes, *, is_remote: bool = False) -> Usage:
        """The usage of the file system at a path.

        Raises Hung when it does not answer now or has not answered yet, TooManyHung, ReadError.
        """
        if path in self.hung():
            raise Hung(path, self._hung[path].asked_at)
        if len(self._hung) >= (self._limit // 2 if is_remote else self._limit):
            raise TooManyHung(f"{len(self._hung)} file systems hang, {os.fsdecode(path)!r} is not asked")
        question = _Question(path, time.monotonic())
        if self._worker is None:
            self._worker = _Worker(self._call)
        self._worker.ask(question)
        if not question.answered.wait(self.timeout_seconds):
            self._hung[path] = question
            self._worker.leave()
            self._worker = None
            raise Hung(path, question.asked_at)
        if isinstance(question.outcome, OSError):
            raise from_os_error(question.outcome, os.fsdecode(path))
        return usage_of(question.outcome)

    def close(self) -> None:
        if self._worker is not None:
            self._worker.leave()
            self._worker = None
