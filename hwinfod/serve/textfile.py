# SPDX-License-Identifier: MIT
"""The textfile for node_exporter's textfile collector: always absent or whole, whatever ends the writer.

The temporary file lies in the same directory, so that rename(2) replaces atomically, and its name does not end in
.prom: the collector reads hidden files too. Mode 0644, since node_exporter runs as another user. No timestamps:
the collector refuses a file that has any. Source: node_exporter, collector/textfile.go.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING

from hwinfod.errors import from_os_error
from hwinfod.serve.exposition import Selection
from hwinfod.serve.exposition_lines import Format

if TYPE_CHECKING:
    from hwinfod.core.host import OwnFigures
    from hwinfod.serve.exposition import Renderer

log = logging.getLogger("hwinfod.textfile")

NAME = "hwinfod.prom"
_TEMPORARY_NAME = ".hwinfod.prom.tmp"


class Textfile:
    """Writes a renderer's text into a directory. Trouble with the directory is one log line a change, and over
    when the directory works again."""

    def __init__(self, renderer: Renderer, own: OwnFigures) -> None:
        self._renderer = renderer
        self._own = own
        self._trouble = ""

    def write(self, directory: str, selection: Selection) -> bool:
        """Renders and replaces the file. False where the directory did not take it; the old file is untouched."""
        body = self._renderer.render(Format.TEXT, selection)
        try:
            _replace(directory, body)
        except OSError as error:
            self._own.textfile_write_errors += 1
            self._note(f"{from_os_error(error, directory)}".replace("cannot read", "cannot write to"))
            return False
        self._note("")
        return True

    def _note(self, trouble: str) -> None:
        if trouble == self._trouble:
            return
        if trouble:
            log.error("%s; sampling goes on, and so do the attempts", trouble)
        else:
            log.info("textfile is written again")
        self._trouble = trouble

    @property
    def trouble(self) -> str:
        """What is wrong with the directory, "" where nothing is."""
        return self._trouble


def _replace(directory: str, body: bytes) -> None:
    temporary = os.path.join(directory, _TEMPORARY_NAME)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)  # of a writer that was killed: never followed if it is a link, never blocked if a FIFO
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            os.fchmod(fd, 0o644)
            left = memoryview(body)
            while left:
                left = left[os.write(fd, left) :]
        finally:
            os.close(fd)
        os.rename(temporary, os.path.join(directory, NAME))
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def remove(directory: str) -> None:
    """Takes the file away at a stop: what is written once would be scraped for ever."""
    for name in (NAME, _TEMPORARY_NAME):
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(directory, name))
