# SPDX-License-Identifier: MIT
"""The textfile's own thread: a directory on a hung file system must cost the textfile and nothing else."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from hwinfod.core.clock import Clock, seconds_to_tick
from hwinfod.core.metric import Level
from hwinfod.serve.exposition import Renderer, Selection
from hwinfod.serve.textfile import Textfile, remove
from hwinfod.settings.daemon import TEXTFILE_DIRECTORY, TEXTFILE_DUPLICATES, TEXTFILE_INTERVAL, TEXTFILE_LEVEL

if TYPE_CHECKING:
    from hwinfod.core.host import Host
    from hwinfod.settings import Settings

log = logging.getLogger("hwinfod.textfile")

_PHASE_SECONDS = 0.5  # behind the samples of the second


class TextfileThread:
    """Writes the textfile while the settings name a directory."""

    def __init__(self, host: Host, settings: Settings) -> None:
        self._host = host
        self._settings = settings
        self._textfile = Textfile(Renderer(host), host.own)
        self._wake = threading.Event()
        self._stopping = False
        self._written = ""
        self._thread: threading.Thread | None = None

    @property
    def directory(self) -> str:
        return self._settings[TEXTFILE_DIRECTORY] or ""

    @property
    def trouble(self) -> str:
        return self._textfile.trouble

    def apply(self, settings: Settings) -> None:
        """Takes new settings; the thread is there once a directory is."""
        self._settings = settings
        if self._thread is None and self.directory:
            self._thread = threading.Thread(target=self._main, name="textfile", daemon=True)
            self._thread.start()
        self._wake.set()

    def stop(self, timeout_seconds: float) -> None:
        """Ends the thread and takes the file away, unless the directory hangs."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    def _main(self) -> None:
        clock = Clock()
        while not self._stopping:
            try:
                self._write()
            except Exception:  # the next writing may work, and the daemon must not lose its textfile for ever
                log.exception("textfile failed")
            self._wake.wait(seconds_to_tick(clock.wall_ns(), self._settings[TEXTFILE_INTERVAL], _PHASE_SECONDS))
            self._wake.clear()
        if self._written:
            remove(self._written)

    def _write(self) -> None:
        directory = self.directory
        if self._written and self._written != directory:
            remove(self._written)
            self._written = ""
        if directory and self._textfile.write(directory, self._selection()):
            self._written = directory

    def _selection(self) -> Selection:
        """Without what node_exporter has anyway, unless the settings want it twice. Never with `process_*`, which it
        has of itself under the same names."""
        level = Level.parse(self._settings[TEXTFILE_LEVEL])
        if self._settings[TEXTFILE_DUPLICATES]:
            return Selection(level, merged=True)
        runners = self._host.runners
        twice = (
            name
            for name, (metric, collector) in self._host.catalog.items()
            if collector in runners and runners[collector].is_in_node_exporter(metric)
        )
        return Selection(level, without=frozenset(twice), merged=True)
