# SPDX-License-Identifier: MIT
"""A small file system in memory that a test fills, makes read-only and takes away. Needs root."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.support.daemon import make_directory
from tests.support.processes import run


class Tmpfs:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._filler = directory / "filler"

    @classmethod
    @contextlib.contextmanager
    def mounted(cls, size: str) -> Iterator[Tmpfs]:
        parent = make_directory("tmpfs")
        directory = parent / "mounted"
        directory.mkdir()
        _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory)
        try:
            yield cls(directory)
        finally:
            run("umount", "--lazy", directory)
            shutil.rmtree(parent)

    def fill(self) -> None:
        """To the last byte."""
        with open(self._filler, "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def empty(self) -> None:
        os.unlink(self._filler)

    def remount(self, mode: str) -> None:
        """`ro` or `rw`."""
        _mount("-o", f"remount,{mode}", self.directory)


def _mount(*arguments: str | Path) -> None:
    done = run("mount", *arguments)
    if done.returncode:
        raise OSError(f"mount {arguments}: {done.stderr.decode()}")
